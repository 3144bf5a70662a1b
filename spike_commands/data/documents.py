"""Documents of inputs, read as `spike shard` reads them, for commands that look at text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datapipe import Dropped, Source, SourceRange, find_sources, read_range, text_endings
from datapipe.sources.bad_records import left_out
from datapipe.sources.file_signatures import check_is_text
from datapipe.sources.files import OTHER_KIND, way_to_read
from datapipe.sources.lines import check_compression
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks


@dataclass(frozen=True, slots=True)
class InputDocument:
    """Input document: its bytes, and the name of its file."""

    text: bytes
    source: str


def read_documents(
    paths: Sequence[Path],
    show: Callbacks = SILENT,
    *,
    text_field: str = "text",
    errors: Any = "strict",
    extensions: Sequence[str] = (),
    read_as: str = "text",
) -> list[InputDocument]:
    """Return the documents of files, folders, patterns and standard input.

    A plain text file is one document, whatever `--split-text` makes of it in shards, and need not
    be UTF-8. The arguments after `show` are those of `reading_options`.

    Args:
        paths: files, folders and patterns.
        show: callbacks for progress and remarks.
        text_field: the column with the text.
        errors: policy for broken records: strict, replace or skip.
        extensions: endings of names that are plain text in folders.
        read_as: `bytes`: each file is one document of its bytes.

    Raises:
        SpikeError: an input cannot be read, or begins as another format than its name.
    """
    dropped = Dropped()
    found = [
        InputDocument(text, source.name)
        for source in named_sources(paths, extensions, read_as, show)
        for texts, _ in documents_of(source, text_field, errors, dropped, read_as)
        for text in texts
    ]
    warn_dropped(dropped, show)
    return found


def named_sources(
    paths: Sequence[Path],
    extensions: Sequence[str],
    read_as: str,
    show: Callbacks = SILENT,
    conversations: bool = False,
) -> list[Source]:
    """Return the sources of paths; a file that is named twice is read twice.

    Args:
        paths: files, folders and patterns.
        extensions: endings of names that are plain text in folders.
        read_as: `bytes`: each file is one document of its bytes.
        show: callbacks for progress and remarks.
        conversations: whether the files hold conversations.

    Raises:
        SpikeError: there is no such input, or its first bytes do not match its name.
    """
    if list(paths).count(Path("-")) > 1:
        raise SpikeError("-: standard input is given twice; give it once")
    sources = []
    for path in paths:
        endings = ("*",) if read_as == "bytes" else text_endings(extensions)
        named, skipped = find_sources([path], endings, conversations)
        warn_skipped(skipped, show, conversations)
        sources += named
    if read_as != "bytes":
        for source in sources:
            check_compression(source)
    return sources


def documents_of(
    source: Source, text_field: str, errors: Any, dropped: Dropped, read_as: str
) -> Iterator[tuple[list[bytes], list[int]]]:
    """Yield the documents of a source and the row or offset of each, as `read_range` does.

    Args:
        source: the file.
        text_field: the column with the text.
        errors: policy for broken records: strict, replace or skip.
        dropped: counts the records that are left out.
        read_as: `bytes`: each file is one document of its bytes.

    Raises:
        SpikeError: a plain text begins as another format.
    """
    by_path = source.given or source.path.name == source.name
    name = str(source.shown) if by_path else source.name
    if read_as == "bytes" or source.kind == "txt":
        content = source.path.read_bytes()
        if read_as != "bytes":
            check_is_text(name, content)
        yield [content], [0]
        return
    begins_file = source.kind.startswith("txt")
    for batch in read_range(SourceRange(source), text_field, errors, dropped):
        texts = batch.column("text").to_pylist()
        if begins_file and texts:
            check_is_text(name, texts[0])
        begins_file = False
        yield texts, batch.column("row").to_pylist()


def warn_dropped(dropped: Dropped, show: Callbacks) -> None:
    """Remark how many records were left out, of which inputs, and why."""
    if dropped:
        show.remark(left_out(dropped))


def warn_skipped(
    skipped: Mapping[str, Sequence[str]], show: Callbacks, conversations: bool = False
) -> None:
    """Remark which files of folders are left out, by reason, and how to read them."""
    for reason, names in skipped.items():
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        way = ""
        if reason == OTHER_KIND:
            way = way_to_read(names, Path(names[0]).parts[0], conversations)
        show.remark(f"left out {reason} ({len(names):,}): {shown}" + (f"; {way}" if way else ""))
