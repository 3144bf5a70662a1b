"""The compiled half of spiketok; arrays are one-dimensional, contiguous and on the CPU.

Wrong array types raise TypeError; offsets that do not fit their data, and ids out of range, raise
ValueError. `threads` 0 means one per core; no result depends on it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class Matcher:
    """Leftmost-longest matching of the entries, among which is every single byte."""

    def __init__(
        self, entries: NDArray[np.uint8], offsets: NDArray[np.int64], ids: NDArray[np.uint32]
    ) -> None:
        """Entry i is `entries[offsets[i]:offsets[i + 1]]` and becomes `ids[i]`."""

    def encode(
        self,
        texts: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        threads: int,
        wide: bool,
        slice_bytes: int = 0,
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the ids (uint32 if `wide`, else uint16) and the offsets of each text's ids.

        Longer texts are encoded in slices of at most `slice_bytes`, 0 being a good size; the result
        does not depend on it.
        """

class Decoder:
    """Concatenation of the entries."""

    def __init__(self, entries: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Id i decodes to `entries[offsets[i]:offsets[i + 1]]`."""

    def decode(self, ids: NDArray[np.uint16] | NDArray[np.uint32] | NDArray[np.int64]) -> bytes:
        """Return the bytes of all ids."""

class BeseCoder:
    """BESE: base ids, and merges of them by rank."""

    def __init__(
        self,
        lossless: bool,
        left: NDArray[np.uint32],
        right: NDArray[np.uint32],
        name: bytes,
        size: int,
    ) -> None:
        """Merge r joins `left[r]` and `right[r]` to id 40 + r; id 0 decodes to `name`.

        There are `size` ids; those beyond the merges decode to nothing.
        """

    def encode(
        self, texts: NDArray[np.uint8], offsets: NDArray[np.int64], threads: int, wide: bool
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return the ids (uint32 if `wide`, else uint16) and the offsets of each text's ids."""

    def decode(
        self, ids: NDArray[np.uint16] | NDArray[np.uint32] | NDArray[np.int64], state: int = 0
    ) -> tuple[bytes, int]:
        """Return the bytes of ids that follow others, and the state behind them.

        `state` is 0 at the beginning of a text, else the state behind the ids before.
        """

class Segments:
    """The different segments of texts in BESE's lossless alphabet, counted."""

    def __init__(self, room: int) -> None:
        """Keep at most `room` base ids, each segment taking 32 more.

        When there are more, those with the larger half of the hashes are let go, for good. So
        what is left does not depend on the order of the texts.
        """

    @property
    def halvings(self) -> int:
        """How often that had to be."""

    def add(self, texts: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Count the segments of texts."""

    def take(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return base ids, offsets and counts of the segments, and forget them."""

def count_pairs(
    ids: NDArray[Any], offsets: NDArray[np.int64], limit: int, threads: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]]:
    """Return left ids, right ids and counts of the `limit` most frequent adjacent pairs.

    `ids` is uint16 or uint32; pairs do not cross documents. A pair counts where its occurrences do
    not overlap, and is left out when it occurs once. Falling count, then rising ids.
    """

class MergeLearner:
    """Learning which pairs of neighbouring ids to join, one after the other and exactly."""

    def __init__(
        self,
        ids: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        weights: NDArray[np.int64],
        lengths: NDArray[np.uint32],
        merges: int,
        by_length: bool,
        most_bytes: int,
        threads: int,
        listed: int = 0,
        first_seen: bool = False,
    ) -> None:
        """Prepare to learn at most `merges` merges.

        Document i, `ids[offsets[i]:offsets[i + 1]]`, counts `weights[i]` times, or once if there
        are no weights; `lengths` has the bytes of each id. A pair's score is its count, or with
        `by_length` its count × the bytes of both ids; pairs of more than `most_bytes` are left
        alone, and so are pairs that count less than 2. Counts are those of `count_pairs`. `listed`
        is how many places are remembered at a time, 0 being a good number; no result depends on it.
        With `first_seen` ties go to the pair that stands first in the documents, instead of to
        the smaller ids.
        """

    def best(self) -> tuple[int, int, int] | None:
        """Return left, right and count of the pair with the highest score."""

    def merge(self) -> int:
        """Replace that pair everywhere, from left to right, by a new id, and return the id."""

    def refuse(self) -> None:
        """Leave that pair alone for good."""

class Trial:
    """A vocabulary under trial: what would a change of it do to the number of tokens?"""

    def __init__(self, entries: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """The entries begin with the 256 single bytes; candidates come behind those in use."""

    def try_changes(
        self,
        used: int,
        removals: bool,
        texts: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Cut with the first `used` entries; return uses and change by entry, and the tokens.

        The change of an entry in use is by how many the tokens grow without it, that of a
        candidate by how many they grow with it alone (below 0 where it saves some). Both are exact.
        """

    def fewest_tokens(
        self, texts: NDArray[np.uint8], offsets: NDArray[np.int64], threads: int
    ) -> int:
        """Return the fewest tokens into which the texts can be cut with the entries at all."""
