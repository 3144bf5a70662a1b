"""Tokenizer metrics on a text: tokens, speed, unused ids, longest tokens."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .adapter import TokenizerAdapter
from .compare_corpus import Pieces


def measure(
    peer: TokenizerAdapter,
    pieces: Pieces,
    passes: int,
    longest: int,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    """Encode the pieces with one tokenizer and return its metrics.

    Args:
        peer: the tokenizer.
        pieces: the text.
        passes: how many passes are timed, after one that is not.
        longest: how many of the longest tokens to return.
        advance: called with the number of passes done.

    Returns:
        The object that docs/formats.md §4 describes for `spike tokenizer compare`.
    """
    ids, offsets = peer.encode(pieces.texts)
    advance(1)
    seconds = []
    for done in range(passes):
        start = time.perf_counter()
        peer.encode(pieces.texts)
        seconds.append(time.perf_counter() - start)
        advance(done + 2)
    sizes = np.array([len(text) for text in pieces.texts], np.int64)
    size, tokens = int(sizes.sum()), len(ids)
    uses = np.bincount(ids.astype(np.int64), minlength=len(peer.entries))
    return {
        "name": peer.name,
        "kind": peer.kind,
        "vocab_size": len(peer.entries),
        "bytes": size,
        "tokens": tokens,
        "bytes_per_token": per_token(size, tokens),
        "encode_mb_per_s": size / 1e6 / max(statistics.median(seconds), 1e-9),
        "passes": passes,
        "lossless": is_lossless(peer, pieces.texts, ids, offsets),
        "unused": int(np.count_nonzero(uses == 0)),
        "longest": longest_tokens(peer, uses, longest),
        "by": {
            column: by_value(labels, sizes, np.diff(offsets))
            for column, labels in pieces.labels.items()
        },
    }


def per_token(size: int, tokens: int) -> float | None:
    """Return bytes per token, or None where there are no tokens."""
    return size / tokens if tokens else None


def is_lossless(
    peer: TokenizerAdapter, texts: Sequence[bytes], ids: NDArray[Any], offsets: NDArray[np.int64]
) -> bool:
    """Return whether each text decodes to itself.

    Args:
        peer: the tokenizer.
        texts: the texts.
        ids: ids of all texts [tokens].
        offsets: first token of each text, and the end [texts + 1].
    """
    bounds = offsets.tolist()
    return all(
        peer.decode(ids[start:stop]) == text
        for text, start, stop in zip(texts, bounds, bounds[1:], strict=False)
    )


def longest_tokens(
    peer: TokenizerAdapter, uses: NDArray[np.int64], number: int
) -> list[dict[str, Any]]:
    """Return the longest tokens with `uses` [V] above 0, of equal ones the most used first."""
    used = np.flatnonzero(uses).tolist()
    used.sort(key=lambda token: (-len(peer.entries[token]), -int(uses[token]), token))
    return [
        {
            "id": token,
            "bytes": len(peer.entries[token]),
            "uses": int(uses[token]),
            "text": peer.entries[token].decode("utf-8", "replace"),
        }
        for token in used[:number]
    ]


def by_value(
    labels: Sequence[str | None], sizes: NDArray[np.int64], tokens: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Sum bytes and tokens [pieces] by label, most bytes first.

    >>> by_value(["b", None, "b"], np.array([3, 1, 3]), np.array([1, 1, 2]))[0]
    {'value': 'b', 'bytes': 6, 'tokens': 3, 'bytes_per_token': 2.0}
    """
    sums: dict[str | None, list[int]] = {}
    for label, size, count in zip(labels, sizes.tolist(), tokens.tolist(), strict=True):
        found = sums.setdefault(label, [0, 0])
        found[0] += size
        found[1] += count
    ordered = sorted(sums.items(), key=lambda item: (-item[1][0], item[0] or ""))
    return [
        {"value": value, "bytes": size, "tokens": count, "bytes_per_token": per_token(size, count)}
        for value, (size, count) in ordered
    ]
