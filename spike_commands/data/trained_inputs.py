"""The inputs that a tokenizer file names, which `spike shard` reads where none are given.

The file may come from anyone and name any path of this machine. What lies in its own folder is
read; files elsewhere are read where they are the text that the tokenizer was trained on: whoever
knows the checksum of a text has read it.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import progress_bar
from .input_options import words_of

if TYPE_CHECKING:
    from datapipe import Source

SHOWN = 3


def trained_inputs(tokenizer_path: Path, vocabulary: Any, out: Path) -> tuple[Path, ...]:
    """Return the files, folders and patterns that a tokenizer was trained on.

    Raises:
        SpikeError: it names none, or a pipe.
    """
    from spiketok.errors import SpikeError

    if not vocabulary.inputs:
        raise SpikeError(
            f"{tokenizer_path} names no inputs; say what to shard: spike shard INPUT… --out {out}"
        )
    return without_streams(tokenizer_path, vocabulary.inputs)


def held_out_files(tokenizer_path: Path, vocabulary: Any) -> tuple[Path, ...]:
    """Return the files that a tokenizer was only measured on; SpikeError where one is a pipe."""
    words = words_of(vocabulary.settings.get("held_out_files"))
    folder = tokenizer_path.absolute().parent
    paths = tuple(Path(os.path.normpath(folder / word)) for word in words)
    return without_streams(tokenizer_path, paths)


def without_streams(tokenizer_path: Path, named: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return paths that a tokenizer names; refuse pipes and devices, which no training records."""
    from datapipe.sources.standard_input import is_stream
    from spiketok.errors import SpikeError

    for path in named:
        if is_stream(path):
            raise SpikeError(
                f"{tokenizer_path}: names {path} as an input, a pipe or a device; name what to "
                "shard: spike shard INPUT…"
            )
    return named


def check_trained_on(
    tokenizer_path: Path,
    vocabulary: Any,
    unnamed: "Sequence[Source]",
    every: "Sequence[Source]",
    how: Mapping[str, Any],
    quiet: bool,
) -> None:
    """Ask before files are read that a tokenizer names, that are not in its folder and not its own.

    Args:
        tokenizer_path: the file.
        vocabulary: its content.
        unnamed: the files that it alone names.
        every: all files that are read.
        how: how they are read, as `ShardSettings`.
        quiet: show no progress.

    Raises:
        SpikeError: the answer is no, or nobody can be asked.
    """
    from spiketok.errors import SpikeError

    folder = tokenizer_path.absolute().parent.resolve()
    elsewhere = [source.path for source in unnamed if not is_inside(source.path, folder)]
    if not elsewhere or corpus_of(every, how, quiet) == vocabulary.training.get("corpus"):
        return
    more = f" and {len(elsewhere) - SHOWN:,} more" if len(elsewhere) > SHOWN else ""
    listed = ", ".join(str(path.resolve()) for path in elsewhere[:SHOWN])
    what = (
        f"{tokenizer_path}: names files outside of its folder, and their text is not what it was "
        f"trained on: {listed}{more}"
    )
    asked = sys.stdin is not None and sys.stdin.isatty()
    if asked and click.confirm(f"{what}\nShard them?", default=False, err=True):
        return
    what = "nothing is sharded" if asked else what
    raise SpikeError(f"{what}; name what to shard: spike shard INPUT… --validation …")


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a file lies in a folder, links resolved, and no name on the way is hidden."""
    real = path.resolve()
    if not real.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in real.relative_to(folder).parts)


def corpus_of(sources: "Sequence[Source]", how: Mapping[str, Any], quiet: bool) -> str:
    """Return the checksum of a text as the tokenizer's trainer records it, `training.corpus`."""
    from msgspec import UNSET

    from datapipe import read_texts
    from datapipe.sources.bad_records import MAX_RECORD
    from spiketok.corpus_sample import CORPUS_MODULUS, document_ids

    limit = MAX_RECORD if how["max_record"] is UNSET else how["max_record"]
    total = sum(source.bytes for source in sources) / 1e6
    with progress_bar("compare", total, "MB", quiet) as report:
        batches = read_texts(
            sources,
            how["text_field"],
            how["errors"],
            report=lambda done: report(done / 1e6, ""),
            split_text=how["split_text"],
            max_record=limit,
        )
        found = sum(int.from_bytes(name, "big") for name in document_ids(batches))
    return f"{found % CORPUS_MODULUS:032x}"
