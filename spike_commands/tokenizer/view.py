"""`spike tokenizer view`: show how a text is tokenized, in the terminal or on a page."""

from pathlib import Path
from typing import Any

import click

from ..console import OUTPUT, PATH, callbacks, common_options, tokenizer_option
from ..data.reading_options import reading_options


@click.command(short_help="Show the tokens of a text.")
@click.argument("file", required=False, type=PATH)
@tokenizer_option
@click.option("--ids", "with_ids", is_flag=True, help="Print the id before each token.")
@click.option(
    "--html",
    type=OUTPUT,
    help="Write a searchable HTML page instead, of at most 16 MiB of text or 2,097,152 tokens.",
)
@click.option(
    "--beside", type=PATH, help="--html: second tokenizer for the page, in any format of compare."
)
@reading_options
@common_options
def view(
    file: Path | None,
    tokenizer_path: Path,
    with_ids: bool,
    html: Path | None,
    beside: Path | None,
    quiet: bool,
    **reads: Any,
) -> None:
    """Show the tokens of FILE in alternating colours.

    Without FILE, or with -, standard input is read. Files are read as by spike shard: of JSON
    Lines, parquet and Arrow the column --text-field, each document by itself; a plain text file is
    one document, and with --as bytes so is any file. Line ends are shown as ⏎, tabs as ⇥, bytes
    that are not UTF-8 as ⟨FF⟩, other invisible characters as ⟨U+200B⟩, tokens without bytes as ∅.
    Without colours, tokens are separated by │. The tokenizer may have any format that compare
    reads.

    \b
    Examples:
      spike tokenizer view book.txt | less
      spike tokenizer view corpus.jsonl.gz --text-field body | head
      spike tokenizer view book.txt --html book.html --beside bpe.json
      echo "hello world" | spike tokenizer view --ids
    """
    if html is None and beside is not None:
        raise click.UsageError("--beside goes with --html; add it or leave --beside out")
    from .viewing import show_tokens, write_html

    if html is None:
        show_tokens(tokenizer_path, file, with_ids, callbacks(quiet), reads)
    else:
        both = [tokenizer_path, *([beside] if beside else [])]
        write_html(html, file, both, callbacks(quiet), reads)
