"""Input files: list their paths, kinds and names."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from spiketok.errors import SpikeError, unreadable
from spiketok.remote_paths import remote_fault

from .standard_input import CODECS, STANDARD_INPUT, is_stream, no_input, spooled

# Kinds that are read from folders by default, by the end of a name.
KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl.gz",
    ".ndjson.gz": "jsonl.gz",
    ".jsonl.zst": "jsonl.zst",
    ".ndjson.zst": "jsonl.zst",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".txt": "txt",
    ".txt.gz": "txt.gz",
    ".txt.zst": "txt.zst",
}
# Not named in messages: further endings of the kinds named.
OTHER_ENDINGS = (".ndjson", ".ndjson.gz", ".ndjson.zst", ".arrows", ".feather")
# Kinds of records that are read where they are named, and left out of folders.
NAMED_ALONE = {".csv": "csv", ".tsv": "csv", ".json": "json"}
# Folders in which other programs keep unfinished, replaced or administrative files.
UNFINISHED = {"_temporary", "_spark_metadata", "_delta_log", "_change_data"}
ALL_ENDINGS = "*"
_SIGNS = set("*?[")

# Reasons for leaving out files of folders.
OTHER_KIND = "files of other kinds"
LINK_TO_NOTHING = "links to nothing"
NO_FILE = "pipes, sockets and devices"
LINK_AGAIN = "links to folders that are already read"
NOT_FINISHED = "folders of unfinished or administrative files"
# Reason → names of files and folders.
Skipped: TypeAlias = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Input file.

    Attributes:
        name: path below the folder that was named, with that folder's own name first.
        path: where the file is now; never written to disk.
        kind: `txt`, `txt.gz`, `txt.zst`, `jsonl`, `jsonl.gz`, `jsonl.zst`, `parquet`, `arrow`; for
            a file that was named also `csv` or `json`.
        bytes: size of the file as it is on disk.
        given: the name on the command line of standard input or a pipe, instead of the path.
    """

    name: str
    path: Path
    kind: str
    bytes: int
    given: Path | None = None

    @property
    def shown(self) -> Path:
        """Name of the source in messages."""
        return self.given or self.path


def find_sources(
    inputs: Sequence[Path], endings: Collection[str] = (), conversations: bool = False
) -> tuple[list[Source], Skipped]:
    """List the input files in the order given, the files of a folder in the order of their paths.

    Args:
        inputs: files, plain text if they are of no known kind; folders, searched to any depth
            without hidden names; patterns such as `corpus/*.md`; `-` for standard input.
        endings: endings of names, such as `md`, that are read as plain text in folders too;
            `*` for all.
        conversations: whether records are conversations; messages name other endings then.

    Returns:
        The sources, and the files of folders that are left out, by reason.

    Raises:
        SpikeError: an input is missing, remote, unreadable, an empty folder, or given twice.
    """
    sources: list[Source] = []
    skipped: Skipped = {}
    for number, given in enumerate(map(Path, inputs)):
        if fault := remote_fault(str(given)):
            raise SpikeError(fault)
        if given == STANDARD_INPUT and STANDARD_INPUT in map(Path, inputs[:number]):
            raise SpikeError("-: standard input is given twice; give it once")
        if is_stream(given):
            copy, name = spooled(given, whole=ALL_ENDINGS in endings)
            sources.append(replace(_source(copy, name, ()), given=given))
        elif given.is_dir():
            sources += _sources_of(given, endings, skipped, conversations)
        elif given.is_file():
            sources.append(_source(given, given.name, endings))
        elif matches := _matches(given):
            sources += [_source(path, name, endings) for path, name in matches]
        else:
            raise SpikeError(f"{given}: {no_input(given)}; name a file, a folder or a pattern")
    _check_no_repeats(sources)
    named = {source.name for source in sources}
    others = [name for name in skipped.pop(OTHER_KIND, ()) if name not in named]
    return sources, skipped | ({OTHER_KIND: others} if others else {})


def without(sources: Sequence[Source], others: Sequence[Source]) -> list[Source]:
    """Return the sources that are not among others."""
    entries = set(map(_entry, others))
    return [source for source in sources if _entry(source) not in entries]


def _entry(source: Source) -> Path:
    return source.path.parent.resolve() / source.path.name


def text_endings(words: Iterable[str]) -> tuple[str, ...]:
    """Return the endings named by words such as `md,py` or `.md`, without dots, sorted.

    >>> text_endings(["md,.PY", "rst"])
    ('md', 'py', 'rst')
    """
    names = (ending.strip().lstrip(".").lower() for word in words for ending in word.split(","))
    return tuple(sorted({ending for ending in names if ending}))


def _sources_of(
    folder: Path, endings: Collection[str], skipped: Skipped, conversations: bool
) -> list[Source]:
    top, found, others = folder.resolve().name, [], []
    for path in sorted(
        _files_below(folder, skipped), key=lambda path: path.relative_to(folder).as_posix()
    ):
        name = (Path(top) / path.relative_to(folder)).as_posix()
        if _known_kind(path.name, endings) is None:
            others.append(name)
        else:
            found.append(_source(path, name, endings))
    if not found:
        raise SpikeError(f"{folder}: {_nothing(folder, others, conversations)}")
    if others:
        skipped.setdefault(OTHER_KIND, []).extend(others)
    return found


def _nothing(folder: Path, others: Sequence[str], conversations: bool) -> str:
    kinds = KINDS | ({".json": "json"} if conversations else {})
    known = ", ".join(
        ending
        for ending, kind in kinds.items()
        if ending not in OTHER_ENDINGS and not (conversations and kind.startswith("txt"))
    )
    if not others:
        return f"no {known} file in this folder; name a folder that has one"
    count = f"{len(others):,} others" if len(others) > 1 else "1 other"
    fault = f"no {known} file in this folder, but {count} such as {others[0]}"
    way = way_to_read(others, str(folder), conversations)
    return f"{fault}; {way or 'name a folder that has one'}"


def way_to_read(names: Iterable[str], folder: str, conversations: bool = False) -> str:
    """Return the advice to read files that are left out of a folder; "" where there is none.

    >>> way_to_read(["d/a.csv", "d/b.md"], "d")
    "name 'd/**/*.csv' to read its column of text, pass --ext md if they are plain text"
    """
    named, plain = set(), set()
    for name in names:
        stem, compression = _stem(Path(name).name.lower())
        ending = Path(stem).suffix
        if ending == ".json" or (ending in NAMED_ALONE and not conversations):
            named.add(ending + compression)
        else:
            plain.add(ending.lstrip("."))
    content = "its conversations" if conversations else "its column of text"
    ways = [f"name '{folder}/**/*{ending}' to read {content}" for ending in sorted(named)]
    if plain and not conversations:
        asked = ",".join(sorted(plain - {""})[:4]) or f"'{ALL_ENDINGS}'"
        ways.append(f"pass --ext {asked} if they are plain text")
    return ", ".join(ways)


def _files_below(folder: Path, skipped: Skipped) -> Iterator[Path]:
    """Yield the files of a folder; links to folders are followed, each folder is read once."""
    top = folder.resolve()
    seen: set[Path] = set()
    folders = [folder]
    while folders:
        links: list[Path] = []
        for start in folders:
            real = start.resolve()
            # A link to a folder that contains the one that was named would be a cycle.
            if real in seen or (start != folder and real in top.parents):
                skipped.setdefault(LINK_AGAIN, []).append(str(start))
            else:
                yield from _files_without_links(start, seen, links, skipped)
        folders = sorted(links)


def _files_without_links(
    start: Path, seen: set[Path], links: list[Path], skipped: Skipped
) -> Iterator[Path]:
    for here, folders, files in os.walk(start, onerror=_raise):
        seen.add(Path(here).resolve())
        kept: list[Path] = []
        for name in sorted(folders):
            path = Path(here, name)
            if name in UNFINISHED:
                skipped.setdefault(NOT_FINISHED, []).append(str(path))
            elif not name.startswith("."):
                # Folders come before links to them, whatever they are called.
                (links if path.is_symlink() else kept).append(path)
        folders[:] = [path.name for path in kept if path.resolve() not in seen]
        for name in files:
            path = Path(here, name)
            if name.startswith("."):
                continue
            if path.is_file():
                yield path
            else:
                reason = NO_FILE if path.exists() else LINK_TO_NOTHING
                skipped.setdefault(reason, []).append(str(path))


def _raise(error: OSError) -> None:
    raise unreadable(Path(error.filename), error)


def _matches(pattern: Path) -> list[tuple[Path, str]]:
    """Return the files that match a pattern, and their names below its last whole folder."""
    parts = pattern.parts
    whole = next((at for at, part in enumerate(parts) if _SIGNS & set(part)), None)
    if whole is None:
        return []
    # Folders before the pattern may have its characters in their names.
    while whole + 1 < len(parts) and Path(*parts[: whole + 1]).is_dir():
        whole += 1
    root = Path(*parts[:whole])
    found = {path.relative_to(root) for path in root.glob(str(Path(*parts[whole:])))}
    names = sorted(
        path.as_posix()
        for path in found
        if (root / path).is_file() and not any(part.startswith(".") for part in path.parts)
    )
    if not names:
        raise SpikeError(f"{pattern}: no file matches; correct the pattern")
    top = Path(root.resolve().name)
    return [(root / name, (top / name).as_posix()) for name in names]


def _source(path: Path, name: str, endings: Collection[str]) -> Source:
    if not _is_unicode(name):
        raise SpikeError(f"{name!a}: the name is not valid UTF-8; rename the file")
    kind = _known_kind(name, endings) or _named_kind(name)
    return Source(name, path, kind, path.stat().st_size)


def _known_kind(name: str, endings: Collection[str]) -> str | None:
    """Return the kind of a file of a folder; None for one that is only read where it is named."""
    whole = name.lower()
    stem, compression = _stem(whole)
    if any(stem.endswith(f".{ending}") for ending in endings):
        return f"txt{compression}"
    found = next((kind for ending, kind in KINDS.items() if whole.endswith(ending)), None)
    return found or (f"txt{compression}" if ALL_ENDINGS in endings else None)


def _named_kind(name: str) -> str:
    stem, compression = _stem(name.lower())
    named = next((kind for ending, kind in NAMED_ALONE.items() if stem.endswith(ending)), None)
    return named or f"txt{compression}"


def _stem(name: str) -> tuple[str, str]:
    compression = next((ending for ending in CODECS if name.endswith(ending)), "")
    return name.removesuffix(compression), compression


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _check_no_repeats(sources: Sequence[Source]) -> None:
    # Two links to one file are read as two copies would be; one name is read once.
    seen: dict[Path, Source] = {}
    for source in sources:
        earlier = seen.setdefault(_entry(source), source)
        if earlier is not source:
            raise SpikeError(
                f"{source.shown}: is the same file as {earlier.shown}; name each file once"
            )
