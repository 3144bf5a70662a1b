"""Text cut into tokens, shown in the terminal or on a page, as `spike tokenizer view` does it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spiketok.atomic_files import write_durably

from ..callbacks import Callbacks
from ..data.documents import read_documents
from ..output_paths import check_new, check_out
from .adapter import Cut, TokenizerAdapter, segment
from .open import open_any
from .view_page import page
from .view_terminal import print_tokens

MAX_PAGE_BYTES = 16 << 20
# Of each tokenizer; one is about eleven bytes of the page.
MAX_PAGE_TOKENS = 2 << 20


def show_tokens(
    tokenizer: Path, file: Path | None, with_ids: bool, show: Callbacks, reads: Mapping[str, Any]
) -> None:
    """Print where the documents of a file are cut; `reads` are the options of `read_documents`.

    Args:
        tokenizer: its file.
        file: the text; None: standard input.
        with_ids: print ids, too.
        show: callbacks for progress and remarks.
        reads: options of `read_documents`.
    """
    peer, size, tokens = open_any(tokenizer), 0, 0
    for text in texts_of(file, show, reads):
        found = segment(peer, text)
        print_tokens(text, found, with_ids)
        size, tokens = size + len(text), tokens + found.tokens
    show.remark(counts(size, tokens))


def write_html(
    out: Path, file: Path | None, tokenizers: list[Path], show: Callbacks, reads: Mapping[str, Any]
) -> None:
    """Write the page, whole or not at all.

    Args:
        out: the file to write.
        file: the text; None: standard input.
        tokenizers: files of one or two tokenizers.
        show: callbacks for progress and remarks.
        reads: options of `read_documents`.
    """
    check_out(out, [*([file] if file else []), *tokenizers], "--html")
    check_new(out, "--html")
    peers = [open_any(path) for path in tokenizers]
    texts = texts_of(file, show, reads)
    size = sum(map(len, texts))
    shown, cuts = beginning(texts, peers)
    if len(shown) < size:
        show.remark(f"the page has the first {len(shown):,} of {size:,} bytes")
    name = "standard input" if file is None or str(file) == "-" else file.name
    write_durably(out, page(name, shown, size, peers, cuts))
    for path, found in zip(tokenizers, cuts, strict=True):
        show.remark(f"{path}: {counts(len(shown), found.tokens)}")


def beginning(texts: Sequence[bytes], peers: Sequence[TokenizerAdapter]) -> tuple[bytes, list[Cut]]:
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


def cut_each(peer: TokenizerAdapter, texts: Sequence[bytes]) -> Cut:
    """Tokenize each of several texts by itself, and return this as a cut of the texts joined."""
    cuts, starts = [segment(peer, text) for text in texts], np.cumsum([0, *map(len, texts)])
    nothing = np.zeros(0, np.int64)
    return Cut(
        np.concatenate([nothing, *(found.ids for found in cuts)]),
        np.concatenate(
            [nothing, *(found.ends + start for found, start in zip(cuts, starts, strict=False))]
        ),
    )


def texts_of(file: Path | None, show: Callbacks, reads: Mapping[str, Any]) -> list[bytes]:
    """Return the documents of a file, of standard input for none and `-`; one where none is."""
    found = read_documents([file or Path("-")], show, **reads)
    return [document.text for document in found] or [b""]


def counts(size: int, tokens: int) -> str:
    """Return the sizes of a text in words.

    >>> counts(10, 4), counts(0, 0)
    ('10 bytes, 4 tokens, 2.5000 bytes per token', '0 bytes, 0 tokens')
    """
    shown = f"{size:,} bytes, {tokens:,} tokens"
    return f"{shown}, {size / tokens:.4f} bytes per token" if tokens else shown
