"""Comparison of tokenizers on the same text, as `spike tokenizer compare` does it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datapipe.sources.empty_files import without_documents

from ..callbacks import SILENT, Callbacks
from ..data.documents import named_sources, warn_dropped
from .compare_corpus import read_pieces
from .compare_metrics import measure
from .open import open_any


def compare_tokenizers(
    files: Sequence[Path],
    texts: Sequence[Path],
    *,
    by: Sequence[str] = (),
    passes: int = 5,
    longest: int = 5,
    text_field: str = "text",
    extensions: Sequence[str] = (),
    read_as: str = "text",
    show: Callbacks = SILENT,
) -> list[dict[str, Any]]:
    """Encode the same text with several tokenizers, on one thread; return the metrics of each.

    Args:
        files: tokenizers, as `open_any` takes them.
        texts: files, folders and patterns to encode.
        by: columns to group by.
        passes: how often each tokenizer is timed.
        longest: how many of the longest tokens to return.
        text_field: the column with the text.
        extensions: endings of names that are plain text in folders.
        read_as: `bytes`: each file is one document of its bytes.
        show: callbacks for progress and remarks.

    Raises:
        SpikeError: there is no text, or a tokenizer cannot be opened.
    """
    sources = named_sources(texts, extensions, read_as, show)
    pieces, dropped = read_pieces(sources, text_field, by, read_as)
    if not pieces.texts:
        raise without_documents(sources, dropped, "name files with text, or their --text-field")
    warn_dropped(dropped, show)
    peers = [open_any(file) for file in files]
    rows = []
    with show.progress("compare", len(peers) * (passes + 1), "passes") as report:
        for number, peer in enumerate(peers):

            def advance(done: int, number: int = number, name: str = peer.name) -> None:
                report(number * (passes + 1) + done, name)

            rows.append(measure(peer, pieces, passes, longest, advance))
    return rows
