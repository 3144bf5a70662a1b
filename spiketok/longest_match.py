"""Longest-match encoder: cut text at each position by the longest entry."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import Decoder, Matcher
from .errors import SpikeError
from .id_layout import PIECE
from .text_buffers import join
from .vocabulary import Vocabulary

# Text of a long document that is encoded at a time.
PART_BYTES = 8 << 20


class LongestMatch:
    """Longest-match encoder: the entries of a vocabulary as native tables.

    Attributes:
        byte_lengths: int64 [ids], bytes each id adds to the text; 0 for special ids.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        kinds = np.frombuffer(vocabulary.kinds, np.uint8)
        entries, offsets = join(vocabulary.entries)
        self.byte_lengths: NDArray[np.int64] = np.where(kinds == PIECE, np.diff(offsets), 0)
        self.encode = matcher(vocabulary).encode
        self._decoder = Decoder(entries, offsets)

    def encode_parts(
        self, text: NDArray[np.uint8], threads: int, wide: bool, part_bytes: int = PART_BYTES
    ) -> Iterator[NDArray[Any]]:
        """Yield the ids of one text part by part, each [tokens]; joined, they are `encode`'s.

        A match never reads further than the longest entry. So tokens that begin at least that
        number of bytes before the end of a part do not depend on the text after it.

        Args:
            text: [bytes], the text.
            threads: number of threads; no result depends on it.
            wide: return the ids as uint32, else as uint16.
            part_bytes: size of a part.
        """
        start, longest = 0, int(self.byte_lengths.max())
        while start < len(text):
            stop = min(start + max(part_bytes, 2 * longest), len(text))
            offsets = np.array([0, stop - start], np.int64)
            ids = self.encode(text[start:stop], offsets, threads, wide)[0]
            if stop < len(text):
                last = ids[-longest:]
                begins = stop - np.cumsum(self.byte_lengths[last][::-1])[::-1]
                certain = begins <= stop - longest
                ids = ids[: len(ids) - int(np.count_nonzero(~certain))]
                stop = int(begins[~certain][0]) if not certain.all() else stop
            yield ids
            start = stop

    def decode(self, ids: NDArray[Any], state: int) -> tuple[bytes, int]:
        """Return the bytes of ids [tokens], and the state, which is not used here."""
        return self._decoder.decode(ids), state


def matcher(vocabulary: Vocabulary) -> Matcher:
    """Build the native table of all entries that text can become.

    Raises:
        SpikeError: the entries are too many or too long for the table.
    """
    tokens = np.flatnonzero(np.frombuffer(vocabulary.kinds, np.uint8) == PIECE)
    entries, offsets = join(vocabulary.entries[token] for token in tokens)
    try:
        return Matcher(entries, offsets, tokens.astype(np.uint32))
    except ValueError as error:
        raise SpikeError(
            f"the vocabulary: {error}; train one with fewer or shorter entries"
        ) from None
