"""`spike tokenizer view`: shows how a text is cut, in the terminal or on a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .console import (
    OUTPUT,
    PATH,
    check_out,
    common_options,
    remark,
    standard_input,
    tokenizer_option,
)

if TYPE_CHECKING:
    from .peer import Cut, Peer

MOST_PAGE_BYTES = 16 << 20
# Of each tokenizer; one is about eleven bytes of the page.
MOST_PAGE_TOKENS = 2 << 20


@click.command()
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
@common_options
def view(
    file: Path | None,
    tokenizer_path: Path,
    with_ids: bool,
    html: Path | None,
    beside: Path | None,
    quiet: bool,
) -> None:
    """Show where the text of FILE is cut, each token in another colour than the one before.

    Without FILE, or with -, standard input is read; the text is the bytes as they are. Line ends
    are shown as ⏎, tabs as ⇥, bytes that are no UTF-8 as ⟨FF⟩, other invisible characters as
    ⟨U+200B⟩, tokens that add no bytes as ∅. Where the output has no colours, tokens are separated
    by │. The tokenizer may be of any kind that compare reads.

    \b
    Examples:
      spike tokenizer view book.txt | less
      spike tokenizer view book.txt --html book.html --beside bpe.json
      echo "hello world" | spike tokenizer view --ids
    """
    from .any_tokenizer import open_any
    from .peer import cut
    from .terminal_view import print_tokens

    if html is None and beside is not None:
        raise click.UsageError("--beside needs --html")
    if html is not None:
        write_html(html, file, [tokenizer_path, *([beside] if beside else [])], quiet)
        return
    peer = open_any(tokenizer_path)
    text = text_of(file)
    found = cut(peer, text)
    print_tokens(text, found, with_ids)
    remark(counts(len(text), found.tokens), quiet)


def write_html(out: Path, file: Path | None, tokenizers: list[Path], quiet: bool) -> None:
    """Write the page, whole or not at all."""
    from spiketok.durable import write_durably
    from spiketok.errors import SpikeError

    from .any_tokenizer import open_any
    from .page import page

    check_out(out, [*([file] if file else []), *tokenizers], "--html")
    if out.exists():
        raise SpikeError(f"{out}: is there already; remove it or choose another --html")
    peers = [open_any(path) for path in tokenizers]
    text = text_of(file)
    shown, cuts = beginning(text, peers)
    if len(shown) < len(text):
        remark(f"the page has the first {len(shown):,} of {len(text):,} bytes", quiet)
    name = "standard input" if file is None or str(file) == "-" else file.name
    write_durably(out, page(name, shown, len(text), peers, cuts))
    for path, found in zip(tokenizers, cuts, strict=True):
        remark(f"{path}: {counts(len(shown), found.tokens)}", quiet)


def beginning(text: bytes, peers: "Sequence[Peer]") -> "tuple[bytes, list[Cut]]":
    """Return as much of a text as fits a page, and how each tokenizer cuts that."""
    from .peer import cut

    text = text[:MOST_PAGE_BYTES]
    cuts = [cut(peer, text) for peer in peers]
    if max(len(found.ends) for found in cuts) > MOST_PAGE_TOKENS:
        text = text[: min(int(found.ends[:MOST_PAGE_TOKENS][-1]) for found in cuts)]
        cuts = [cut(peer, text) for peer in peers]
    return text, cuts


def text_of(file: Path | None) -> bytes:
    """Read the text: a file, or standard input for none and `-`."""
    return standard_input() if file is None or str(file) == "-" else file.read_bytes()


def counts(size: int, tokens: int) -> str:
    """Word the sizes of a text.

    >>> counts(10, 4), counts(0, 0)
    ('10 bytes, 4 tokens, 2.5000 bytes per token', '0 bytes, 0 tokens')
    """
    shown = f"{size:,} bytes, {tokens:,} tokens"
    return f"{shown}, {size / tokens:.4f} bytes per token" if tokens else shown
