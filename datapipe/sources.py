"""Finds the input files: which there are, what kind each is, and the name it goes by."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spiketok.errors import SpikeError

# The longer suffixes come first: `.jsonl.gz` also ends in a suffix of its own.
KINDS = {
    ".jsonl.gz": "jsonl.gz",
    ".jsonl.zst": "jsonl.zst",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
    ".txt": "txt",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One input file.

    Attributes:
        name: path below the folder that was named, with that folder's own name first.
        path: where the file is now; never written to disk.
        kind: `txt`, `jsonl`, `jsonl.gz`, `jsonl.zst` or `parquet`.
        bytes: size of the file as it lies on disk.
    """

    name: str
    path: Path
    kind: str
    bytes: int


def find_sources(inputs: Sequence[Path]) -> tuple[list[Source], list[str]]:
    """List the input files in the order given, the files of a folder in the order of their paths.

    Args:
        inputs: files and folders; folders are searched to any depth, hidden names left out.

    Returns:
        The sources, and the names of the files in folders that are of no known kind.

    Raises:
        SpikeError: an input is missing, unreadable, of no known kind, an empty folder, or twice
            there.
    """
    sources: list[Source] = []
    skipped: list[str] = []
    for given in map(Path, inputs):
        if given.is_dir():
            found = list(_sources_below(given, skipped))
            if not found:
                raise SpikeError(f"{given}: no {', '.join(KINDS)} file in this folder")
            sources += found
        elif given.is_file():
            sources.append(_source(given, given.name))
        else:
            raise SpikeError(f"{given}: no such file or folder")
    _refuse_repeats(sources)
    return sources, skipped


def _sources_below(folder: Path, skipped: list[str]) -> Iterator[Source]:
    top = folder.resolve().name
    for path in sorted(_files_below(folder), key=lambda path: path.relative_to(folder).as_posix()):
        name = (Path(top) / path.relative_to(folder)).as_posix()
        if _kind(path.name) is None:
            skipped.append(name)
        else:
            yield _source(path, name)


def _files_below(folder: Path) -> Iterator[Path]:
    # Links to folders are not followed: they may lead in a circle.
    for here, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(here, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _raise(error: OSError) -> None:
    raise SpikeError(f"{error.filename}: {error.strerror}")


def _source(path: Path, name: str) -> Source:
    kind = _kind(path.name)
    if kind is None:
        raise SpikeError(f"{path}: unknown kind of file; known are {', '.join(KINDS)}")
    if not _is_unicode(name):
        raise SpikeError(f"{name!a}: the name is not valid UTF-8; rename the file")
    return Source(name, path, kind, path.stat().st_size)


def _kind(name: str) -> str | None:
    lower = name.lower()
    return next((kind for suffix, kind in KINDS.items() if lower.endswith(suffix)), None)


def _is_unicode(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _refuse_repeats(sources: Sequence[Source]) -> None:
    seen: dict[Path, Source] = {}
    for source in sources:
        earlier = seen.setdefault(source.path.resolve(), source)
        if earlier is not source:
            raise SpikeError(f"{source.path}: the same file as {earlier.path}; name each file once")
