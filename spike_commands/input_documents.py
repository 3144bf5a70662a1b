"""Reads the documents of inputs, as `spike shard` reads them, for commands that look at text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .console import Command, ext_option, remark, text_field_option, warn_skipped


@dataclass(frozen=True, slots=True)
class InputDocument:
    """A document: its bytes, and the name of the file it is from."""

    text: bytes
    source: str


def reading_options(command: Command) -> Command:
    """Add the options that say how inputs are read; they go to `read_documents`."""
    errors = click.option(
        "--errors",
        type=click.Choice(["strict", "replace", "skip"]),
        default="strict",
        show_default=True,
        help="What to do with a broken record.",
    )
    as_bytes = click.option(
        "--as",
        "read_as",
        type=click.Choice(["text", "bytes"]),
        default="text",
        show_default=True,
        help="bytes: each file is one document, whatever its kind.",
    )
    return text_field_option(ext_option(errors(as_bytes(command))))


def read_documents(
    paths: Sequence[Path],
    quiet: bool,
    *,
    text_field: str = "text",
    errors: Any = "strict",
    extensions: Sequence[str] = (),
    read_as: str = "text",
) -> list[InputDocument]:
    """Return the documents of files, folders, patterns and standard input.

    A plain text file is one document, whatever `--split-text` makes of it in shards, and need not
    be UTF-8. The arguments after `quiet` are those of `reading_options`.

    Raises:
        SpikeError: an input cannot be read, or begins as another format than its name says.
    """
    from datapipe import Dropped, counted, find_sources, read_range, text_endings
    from datapipe.known_beginnings import refuse_other_formats
    from spiketok.errors import SpikeError

    whole = read_as == "bytes"
    endings = ("*",) if whole else text_endings(extensions)
    if list(paths).count(Path("-")) > 1:
        raise SpikeError("-: standard input is given twice; it can be read once")
    sources = []
    for path in paths:  # one by one: a file that is named twice is read twice
        named, skipped = find_sources([path], endings)
        warn_skipped(skipped, quiet)
        sources += named
    found: list[InputDocument] = []
    dropped = Dropped()
    for source in sources:
        name = str(source.path) if source.path.name == source.name else source.name
        if whole or source.kind == "txt":
            content = source.path.read_bytes()
            if not whole:
                refuse_other_formats(name, content)
            found.append(InputDocument(content, source.name))
            continue
        begins_file = True
        for batch in read_range(source, 0, -1, text_field, errors, dropped):
            texts = batch.column("text").to_pylist()
            if begins_file and texts and source.kind.startswith("txt"):
                refuse_other_formats(name, texts[0])
            begins_file = False
            found += [InputDocument(text, source.name) for text in texts]
    if dropped:
        remark(f"left out {dropped.total():,} records: {counted(dropped)}", quiet)
    return found
