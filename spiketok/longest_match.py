"""Cuts text by the longest match at each position."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import Decoder, Matcher
from .errors import SpikeError
from .layout import PIECE
from .text_buffers import join
from .vocabulary import Vocabulary


class LongestMatch:
    """The entries of a vocabulary as native tables.

    Attributes:
        byte_lengths: int64 [ids], bytes each id adds to the text; 0 for special ids.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        kinds = np.frombuffer(vocabulary.kinds, np.uint8)
        entries, offsets = join(vocabulary.entries)
        self.byte_lengths: NDArray[np.int64] = np.where(kinds == PIECE, np.diff(offsets), 0)
        self.encode = matcher(vocabulary).encode
        self._decoder = Decoder(entries, offsets)

    def decode(self, ids: NDArray[Any], state: int) -> tuple[bytes, int]:
        """Return the bytes of ids; they do not depend on the ids before, so the state is 0."""
        return self._decoder.decode(ids), state


def matcher(vocabulary: Vocabulary) -> Matcher:
    """Build the native table of all entries that text can become."""
    tokens = np.flatnonzero(np.frombuffer(vocabulary.kinds, np.uint8) == PIECE)
    entries, offsets = join(vocabulary.entries[token] for token in tokens)
    try:
        return Matcher(entries, offsets, tokens.astype(np.uint32))
    except ValueError as error:
        raise SpikeError(
            f"the vocabulary: {error}; train one with fewer or shorter entries"
        ) from None
