"""Inputs named in a tokenizer file, which `spike shard` reads by default.

The file may come from anyone and name any path of this machine. Files in its own folder are read;
files elsewhere only where they are the text that the tokenizer was trained on: the author of its
checksum has read that text. The paths may cover the whole machine: names elsewhere are listed up to
a limit, and text is read up to the size in the tokenizer file.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from glob import has_magic
from pathlib import Path
from typing import Any

from msgspec import UNSET

from datapipe import Dropped, Source, read_texts
from datapipe.sources.bad_records import MAX_RECORD
from datapipe.sources.standard_input import is_stream
from spiketok.corpus_sample import CORPUS_MODULUS, documents
from spiketok.errors import SpikeError
from spiketok.holdout import document_id

from ..callbacks import Callbacks
from .input_settings import words_of

SHOWN = 3
# Limit of files and folders listed outside a tokenizer's own folder.
MAX_ENTRIES = 200_000


class OtherTextError(Exception):
    """Stops reading a text that cannot be the tokenizer's corpus."""


def trained_inputs(tokenizer_path: Path, vocabulary: Any, out: Path) -> tuple[Path, ...]:
    """Return the files, folders and patterns that a tokenizer was trained on.

    Raises:
        SpikeError: it names none, or a pipe.
    """
    if not vocabulary.inputs:
        raise SpikeError(
            f"{tokenizer_path}: names no inputs; name them: spike shard INPUT… --out {out}"
        )
    return checked_names(tokenizer_path, vocabulary.inputs)


def held_out_files(tokenizer_path: Path, vocabulary: Any) -> tuple[Path, ...]:
    """Return the held-out files of a tokenizer; SpikeError where one is a pipe."""
    words = words_of(vocabulary.settings.get("held_out_files"))
    folder = tokenizer_path.absolute().parent
    paths = tuple(Path(os.path.normpath(folder / word)) for word in words)
    return checked_names(tokenizer_path, paths)


def checked_names(tokenizer_path: Path, named: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return paths that a tokenizer names; raise for pipes and devices, which no training records.

    Raises:
        SpikeError: also where there are too many files to list.
    """
    for path in named:
        if is_stream(path):
            raise SpikeError(
                f"{tokenizer_path}: its input {path} is a pipe or a device; name the inputs: "
                "spike shard INPUT…"
            )
    folder = tokenizer_path.absolute().parent.resolve()
    for number, _ in enumerate(entries_elsewhere(named, folder)):
        if number >= MAX_ENTRIES:
            raise SpikeError(
                f"{tokenizer_path}: names inputs outside of its folder that hold more than "
                f"{MAX_ENTRIES:,} files; name the inputs: spike shard INPUT…"
            )
    return named


def entries_elsewhere(named: Sequence[Path], folder: Path) -> Iterator[str]:
    """Yield paths below files, folders and patterns, but not in `folder`; links are followed.

    Paths that cannot be listed are skipped: reading them reports why.
    """
    seen: set[Path] = set()
    waiting = [(whole_part(path), levels(path)) for path in named]
    while waiting:
        here, depth = waiting.pop()
        real = here.resolve()
        if real in seen or depth == 0:
            continue
        if depth < 0:  # others may be listed again, to another depth
            seen.add(real)
        counts = not is_inside(real, folder)
        with suppress(OSError), os.scandir(real) as entries:
            for entry in entries:
                if counts:
                    yield entry.path
                if not entry.name.startswith(".") and entry.is_dir():
                    waiting.append((Path(entry.path), depth - 1))


def whole_part(path: Path) -> Path:
    """Return the path up to the first part that is a pattern."""
    ups = [] if path.exists() else [*reversed(path.parents), path]
    return next((up.parent for up in ups if has_magic(up.name)), path)


def levels(path: Path) -> int:
    """Return the number of folder levels that a pattern lists; below 0 where there is no end."""
    below = path.parts[len(whole_part(path).parts) :]
    return len(below) if below and "**" not in below else -1


def check_trained_on(
    tokenizer_path: Path,
    vocabulary: Any,
    unnamed: Sequence[Source],
    every: Sequence[Source],
    how: Mapping[str, Any],
    show: Callbacks,
    ask: Callable[[str], bool] | None,
) -> None:
    """Ask before reading files that a tokenizer names, outside its folder and not its own text.

    Args:
        tokenizer_path: the file.
        vocabulary: its content.
        unnamed: the files that it alone names.
        every: all files that are read.
        how: how they are read, as `ShardSettings`.
        show: callbacks for progress.
        ask: returns the answer to a question; None where there is nobody to ask.

    Raises:
        SpikeError: the answer is no, or there is nobody to ask.
    """
    folder = tokenizer_path.absolute().parent.resolve()
    elsewhere = [source.path for source in unnamed if not is_inside(source.path, folder)]
    if not elsewhere or is_corpus(every, how, vocabulary.training, show):
        return
    more = f" and {len(elsewhere) - SHOWN:,} more" if len(elsewhere) > SHOWN else ""
    listed = ", ".join(str(path.resolve()) for path in elsewhere[:SHOWN])
    what = (
        f"{tokenizer_path}: names files outside of its folder with other text than it was trained "
        f"on: {listed}{more}"
    )
    if ask is not None and ask(f"{what}\nShard them?"):
        return
    what = what if ask is None else "nothing is sharded"
    raise SpikeError(f"{what}; name the inputs: spike shard INPUT… --validation …")


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a file is in a folder, links resolved, and no name in between is hidden."""
    real = path.resolve()
    if not real.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in real.relative_to(folder).parts)


def is_corpus(
    sources: Sequence[Source], how: Mapping[str, Any], training: Mapping[str, Any], show: Callbacks
) -> bool:
    """Return whether a text has the checksum that the tokenizer's trainer recorded, `corpus`.

    It is read up to the length of the training text.

    Args:
        sources: the files.
        how: how they are read, as `ShardSettings`.
        training: the tokenizer's records of its training.
        show: callbacks for progress and remarks.
    """
    limit = MAX_RECORD if how["max_record"] is UNSET else how["max_record"]
    total = sum(source.bytes for source in sources) / 1e6
    dropped, size, found = Dropped(), 0, 0
    recorded = training.get("dropped")
    counts = recorded.values() if isinstance(recorded, dict) else ()
    most_dropped = sum(count for count in counts if isinstance(count, int))
    most = training.get("bytes")
    if not isinstance(most, int):
        return False
    with show.progress("compare", total, "MB") as report:

        def check(done: int) -> None:
            report(done / 1e6, "")
            if size > most or dropped.total() > most_dropped:
                raise OtherTextError

        batches = read_texts(
            sources,
            how["text_field"],
            how["errors"],
            dropped,
            check,
            how["split_text"],
            limit,
        )
        try:
            for text in documents(batches):
                size += len(text)
                if size > most:
                    return False
                found += int.from_bytes(document_id(text), "big")
        except OtherTextError:
            return False
    return f"{found % CORPUS_MODULUS:032x}" == training.get("corpus")
