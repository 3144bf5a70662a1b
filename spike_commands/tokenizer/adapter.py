"""Tokenizer interface for comparing and viewing, the same for each library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..visible import one_character_a_byte

# Marks bytes of the text that a tokenizer left out.
NO_TOKEN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerAdapter:
    """Tokenizer of any library, ready for use on one thread.

    Attributes:
        name: as it was named on the command line.
        kind: `spike`, `hugging face`, `sentencepiece` or `tiktoken`.
        entries: by id its bytes, as far as known; nothing for ids that no text gets.
        encode: texts → ids of all texts, and int64 offsets [texts + 1].
        decode: ids of one text → its bytes, as the tokenizer's own library returns them.
        spans: text → for each token the characters [start, stop) it was made of, int64 [tokens, 2];
            None where the entries always make up the text.
        ends: ids of one text → the byte at which each ends, int64 [tokens]; None where the entries
            or the spans must give it.
        frequencies: uses by id in the text trained on; empty where unknown.
    """

    name: str
    kind: str
    entries: Sequence[bytes]
    encode: Callable[[Sequence[bytes]], tuple[NDArray[Any], NDArray[np.int64]]]
    decode: Callable[[NDArray[Any]], bytes]
    spans: Callable[[bytes], NDArray[np.int64]] | None = None
    ends: Callable[[NDArray[np.int64]], NDArray[np.int64]] | None = None
    frequencies: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Cut:
    """Tokenized text: its parts and their ids.

    Attributes:
        ids: int64 [parts]; `NO_TOKEN` where the tokenizer left bytes out.
        ends: int64 [parts], the byte at which each part ends; it begins where the last one ended.
    """

    ids: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def tokens(self) -> int:
        """Number of tokens, without the parts that were left out."""
        return int(np.count_nonzero(self.ids != NO_TOKEN))


def segment(peer: TokenizerAdapter, text: bytes) -> Cut:
    """Tokenize a text; every byte of it is in exactly one part.

    Where the entries of the ids make up the text, they determine the cuts, so that a token may end
    inside a character. Else the library's own offsets are used.
    """
    ids = peer.encode([text])[0].astype(np.int64)
    if peer.ends is not None:
        return Cut(ids, peer.ends(ids))
    spelled = [peer.entries[token] for token in ids.tolist()]
    ends = np.cumsum(np.fromiter(map(len, spelled), np.int64, len(spelled)))
    whole = b"".join(spelled)
    if whole == text:
        return Cut(ids, ends)
    readable = one_character_a_byte(text).encode()
    starts = character_starts(text)
    if whole == readable or peer.spans is None:
        return Cut(ids, places_in(starts, character_starts(readable))[ends])
    return Cut(*without_overlap(ids, starts[peer.spans(text)], len(text)))


def places_in(starts: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Map each byte, and the end, of one spelling of some characters to a byte of another one.

    Args:
        starts: int64 [characters + 1], where each begins in the target spelling, and its end.
        others: the same of the source spelling.

    >>> places_in(np.array([0, 1, 3]), np.array([0, 3, 5])).tolist()
    [0, 0, 0, 1, 2, 3]
    """
    widths = np.diff(others)
    inside = np.arange(others[-1]) - np.repeat(others[:-1], widths)
    inside = np.minimum(inside, np.repeat(np.diff(starts) - 1, widths))
    return np.append(np.repeat(starts[:-1], widths) + inside, starts[-1])


def without_overlap(
    ids: NDArray[np.int64], spans: NDArray[np.int64], size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Turn spans of bytes [start, stop) into parts of a text that follow each other.

    Of several tokens [n] made of one character, whose spans are [n, 2], the first one gets it.

    >>> ids, ends = without_overlap(np.array([7, 8]), np.array([[0, 2], [0, 2]]), 3)
    >>> ids.tolist(), ends.tolist()
    ([7, 8, -1], [2, 2, 3])
    """
    parts, ends, reached = [], [], 0
    for token, (start, stop) in zip(ids.tolist(), spans.tolist(), strict=True):
        if start > reached:
            parts.append(NO_TOKEN)
            ends.append(start)
        reached = max(reached, start, stop)
        parts.append(token)
        ends.append(reached)
    if reached < size:
        parts.append(NO_TOKEN)
        ends.append(size)
    return np.array(parts, np.int64), np.array(ends, np.int64)


def flat(rows: Sequence[ArrayLike]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Concatenate the ids of several texts; return ids [tokens] and offsets [texts + 1].

    >>> flat([[5, 6], [], [7]])[1].tolist()
    [0, 2, 2, 3]
    """
    arrays = [np.asarray(row, np.uint32) for row in rows]
    offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int64)
    return np.concatenate([np.empty(0, np.uint32), *arrays]), offsets


def character_starts(text: bytes) -> NDArray[np.int64]:
    """Return where each character of `one_character_a_byte(text)` begins, and the end, [n + 1].

    >>> character_starts(b"\\xc3\\xa9\\xffx").tolist()
    [0, 2, 3, 4]
    """
    spelled = text.decode("utf-8", "surrogateescape").encode("utf-32-le", "surrogatepass")
    letters = np.frombuffer(spelled, np.uint32)
    widths = 1 + (letters >= 0x80) + (letters >= 0x800).astype(np.int64) + (letters >= 0x10000)
    widths[(letters >= 0xDC80) & (letters <= 0xDCFF)] = 1
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(widths)])
