"""Prefix covers: the token sequences with which the encodings of longer texts can begin.

The texts that begin with bytes s have many encodings. A cover of s is the shortest beginning of
such an encoding whose bytes include all of s (Vieira et al. 2024, arXiv:2412.03719). Covers exclude
each other and each encoding begins with one, so the probability that a text begins with s is the
sum of their probabilities, as far as a model puts its mass on encodings alone.

For longest match they are few. All tokens of a cover but the last end within s. Each is the longest
entry that matches the longer text, and it fits into s, so it is also the longest that matches s:
it is the token of s's own encoding. So a cover is a beginning of s's encoding, and one more entry
that begins with all that is left of s. It reaches back by the longest entry at most.

Not every such entry is possible. Where an entry g that reaches over the end of s begins further
left, and the text continues as g does, longest match takes g there. An entry is left out if it
continues in that way. All others are possible: the bytes of such a cover have it as their encoding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import SpikeError
from .sorted_entries import SortedEntries
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Covers:
    """Covers of a text: beginnings of its own encoding, each with the entries that may follow."""

    ids: NDArray[np.int64]
    """[n], the encoding of the text itself."""
    last: dict[int, NDArray[np.int64]]
    """Number of first ids, 0 … n − 1, and the entries of which one follows them, [m]."""

    @property
    def stable(self) -> int:
        """Number of first ids that every longer text's encoding has."""
        return min(self.last, default=0)


class PrefixCovers:
    """Prefix covers of texts, for the vocabulary of a longest-match tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = tokenizer.vocabulary
        if not isinstance(vocabulary, Vocabulary):
            raise SpikeError("prefix covers need a longest-match tokenizer; use another one")
        self._tokenizer = tokenizer
        self._sorted = SortedEntries(vocabulary)
        self._ids = np.array(self._sorted.ids, np.int64)

    def of(self, text: bytes) -> Covers:
        """Return the covers of a text; an empty one has none."""
        ids = self._tokenizer.encode(text).astype(np.int64)
        borders = self._tokenizer.byte_offsets(ids).tolist()
        reach = len(text) - self._sorted.longest
        last: dict[int, NDArray[np.int64]] = {}
        earlier: list[tuple[int, bytes]] = []  # begins of entries that go over the end, and these
        for place, border in enumerate(borders[:-1]):
            if border < reach:
                continue
            start, stop = self._sorted.beginning_with(text[border:])
            possible = np.ones(stop - start, bool)
            for left, entry in earlier:
                first, end = self._sorted.beginning_with(entry[border - left :])
                possible[first - start : end - start] = False
            if possible.any():
                last[place] = self._ids[start:stop][possible]
            earlier += [(border, entry) for entry in self._sorted.entries[start:stop]]
        return Covers(ids, last)
