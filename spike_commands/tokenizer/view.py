"""`spike tokenizer view`: show how a text is tokenized, in the terminal or on a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spiketok.atomic_files import write_durably

from ..console import OUTPUT, PATH, check_new, check_out, common_options, remark, tokenizer_option
from ..data.documents import read_documents, reading_options

if TYPE_CHECKING:
    from .adapter import Cut, TokenizerAdapter

MAX_PAGE_BYTES = 16 << 20
# Of each tokenizer; one is about eleven bytes of the page.
MAX_PAGE_TOKENS = 2 << 20


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
    from .adapter import cut
    from .open import open_any
    from .view_terminal import print_tokens

    if html is None and beside is not None:
        raise click.UsageError("--beside needs --html")
    if html is not None:
        write_html(html, file, [tokenizer_path, *([beside] if beside else [])], quiet, reads)
        return
    peer, size, tokens = open_any(tokenizer_path), 0, 0
    for text in texts_of(file, quiet, reads):
        found = cut(peer, text)
        print_tokens(text, found, with_ids)
        size, tokens = size + len(text), tokens + found.tokens
    remark(counts(size, tokens), quiet)


def write_html(
    out: Path, file: Path | None, tokenizers: list[Path], quiet: bool, reads: dict[str, Any]
) -> None:
    """Write the page, whole or not at all."""
    from .open import open_any
    from .view_page import page

    check_out(out, [*([file] if file else []), *tokenizers], "--html")
    check_new(out, "--html")
    peers = [open_any(path) for path in tokenizers]
    texts = texts_of(file, quiet, reads)
    size = sum(map(len, texts))
    shown, cuts = beginning(texts, peers)
    if len(shown) < size:
        remark(f"the page has the first {len(shown):,} of {size:,} bytes", quiet)
    name = "standard input" if file is None or str(file) == "-" else file.name
    write_durably(out, page(name, shown, size, peers, cuts))
    for path, found in zip(tokenizers, cuts, strict=True):
        remark(f"{path}: {counts(len(shown), found.tokens)}", quiet)


def beginning(
    texts: Sequence[bytes], peers: "Sequence[TokenizerAdapter]"
) -> "tuple[bytes, list[Cut]]":
    """Return the part of the joined texts that fits a page, and how each tokenizer cuts that."""
    texts = first_bytes(texts, MAX_PAGE_BYTES)
    cuts = [cut_each(peer, texts) for peer in peers]
    if max(len(found.ends) for found in cuts) > MAX_PAGE_TOKENS:
        size = min(int(found.ends[:MAX_PAGE_TOKENS][-1]) for found in cuts)
        texts = first_bytes(texts, size)
        cuts = [cut_each(peer, texts) for peer in peers]
    return b"".join(texts), cuts


def first_bytes(texts: Sequence[bytes], size: int) -> list[bytes]:
    """Return texts with `size` bytes in all at most, the last one cut.

    >>> first_bytes([b"abc", b"def", b"g"], 5)
    [b'abc', b'de']
    """
    found = []
    for text in texts:
        if size <= 0:
            break
        found.append(text[:size])
        size -= len(text)
    return found


def cut_each(peer: "TokenizerAdapter", texts: Sequence[bytes]) -> "Cut":
    """Tokenize each of several texts by itself, and return this as a cut of the texts joined."""
    import numpy as np

    from .adapter import Cut, cut

    cuts, starts = [cut(peer, text) for text in texts], np.cumsum([0, *map(len, texts)])
    nothing = np.zeros(0, np.int64)
    return Cut(
        np.concatenate([nothing, *(found.ids for found in cuts)]),
        np.concatenate(
            [nothing, *(found.ends + start for found, start in zip(cuts, starts, strict=False))]
        ),
    )


def texts_of(file: Path | None, quiet: bool, reads: dict[str, Any]) -> list[bytes]:
    """Return the documents of a file, of standard input for none and `-`; one where none is."""
    found = read_documents([file or Path("-")], quiet, **reads)
    return [document.text for document in found] or [b""]


def counts(size: int, tokens: int) -> str:
    """Return the sizes of a text in words.

    >>> counts(10, 4), counts(0, 0)
    ('10 bytes, 4 tokens, 2.5000 bytes per token', '0 bytes, 0 tokens')
    """
    shown = f"{size:,} bytes, {tokens:,} tokens"
    return f"{shown}, {size / tokens:.4f} bytes per token" if tokens else shown
