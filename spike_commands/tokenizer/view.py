"""`spike tokenizer view`: show how a text is tokenized, in the terminal or on a page."""

from pathlib import Path
from typing import Any

import click

from ..console import OUTPUT, PATH, callbacks, common_options, tokenizer_option
from ..data.reading_options import reading_options


@click.command(short_help="Show where a text is cut into tokens.")
@click.argument("file", required=False, type=PATH)
@tokenizer_option
@click.option("--ids", "with_ids", is_flag=True, help="Show the id before each token.")
@click.option(
    "--html",
    type=OUTPUT,
    help="Write one page to search and point at, and print nothing. It has 16 MiB of text or "
    "2,097,152 tokens at most.",
)
@click.option(
    "--beside", type=PATH, help="Show a second tokenizer on the page, of any kind compare reads."
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
    """Show where the text of FILE is cut, each token in another colour than the one before.

    Without FILE, or with -, standard input is read. The documents are those that spike shard reads:
    of JSON Lines, parquet and Arrow the column --text-field, each cut by itself; a plain text is
    one document, and with --as bytes so is any file. Line ends are shown as ⏎, tabs as ⇥, bytes
    that are no UTF-8 as ⟨FF⟩, other invisible characters as ⟨U+200B⟩, tokens that add no bytes as
    ∅. Where the output has no colours, tokens are separated by │. The tokenizer may be of any kind
    that compare reads.

    \b
    Examples:
      spike tokenizer view book.txt | less
      spike tokenizer view corpus.jsonl.gz --text-field body | head
      spike tokenizer view book.txt --html book.html --beside bpe.json
      echo "hello world" | spike tokenizer view --ids
    """
    if html is None and beside is not None:
        raise click.UsageError("--beside needs --html")
    from .viewing import show_tokens, write_html

    if html is None:
        show_tokens(tokenizer_path, file, with_ids, callbacks(quiet), reads)
    else:
        both = [tokenizer_path, *([beside] if beside else [])]
        write_html(html, file, both, callbacks(quiet), reads)
