"""Native code of spiketok; arrays are one-dimensional, contiguous and on the CPU.

Wrong array types raise TypeError; offsets that do not fit their data, and ids out of range, raise
ValueError. `threads` 0 means one per core; no result depends on it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class Matcher:
    """Longest-match encoder over the entries, among which is every single byte."""

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
        """Encode texts; return the ids [tokens] and offsets [texts + 1] of each text's ids.

        Args:
            texts: [bytes], all texts, concatenated.
            offsets: [texts + 1], where each begins, and the end of the last.
            threads: 0: one per core; no result depends on it.
            wide: return the ids as uint32, else as uint16.
            slice_bytes: longer texts are encoded in slices of at most this size; 0: a default; no
                result depends on it.
        """

class Decoder:
    """Decoder: concatenates the entries of ids."""

    def __init__(self, entries: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Id i decodes to `entries[offsets[i]:offsets[i + 1]]`."""

    def decode(self, ids: NDArray[np.uint16] | NDArray[np.uint32] | NDArray[np.int64]) -> bytes:
        """Return the bytes of all ids [tokens]."""

class BeseCoder:
    """BESE encoder and decoder: base ids, and merges of them by rank."""

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
        """Encode texts; return the ids [tokens] and offsets [texts + 1] of each text's ids.

        Args:
            texts: [bytes], all texts, concatenated.
            offsets: [texts + 1], where each begins, and the end of the last.
            threads: 0: one per core; no result depends on it.
            wide: return the ids as uint32, else as uint16.
        """

    def decode(
        self, ids: NDArray[np.uint16] | NDArray[np.uint32] | NDArray[np.int64], state: int = 0
    ) -> tuple[bytes, int]:
        """Decode ids [tokens] that follow others; return their bytes and the state after them.

        `state` is 0 at the beginning of a text, else the state after the ids before.
        """

class SegmentCounter:
    """Counts of the distinct segments of texts in BESE's lossless alphabet."""

    def __init__(self, capacity: int) -> None:
        """Keep at most `capacity` base ids, where each segment costs 32 more.

        When there are more, segments with the larger half of the hashes are dropped, and never
        counted again. So the counts do not depend on the order of the texts.
        """

    @property
    def halvings(self) -> int:
        """Number of times that half of the hashes were dropped."""

    def add(self, texts: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Count the segments of texts [bytes], which begin at offsets [texts + 1]."""

    def take(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return and remove the segments: ids [ids], offsets [segments + 1], counts [segments]."""

def count_pairs(
    ids: NDArray[Any], offsets: NDArray[np.int64], limit: int, threads: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64]]:
    """Count adjacent pairs; return left ids, right ids and counts, each [pairs].

    By falling count, then rising ids. Pairs do not cross documents. Occurrences that overlap count
    once, and pairs that occur once are left out.

    Args:
        ids: [tokens] of all documents, uint16 or uint32.
        offsets: [documents + 1], where each begins, and the end of the last.
        limit: return at most this number of pairs, the most frequent ones.
        threads: 0: one per core; no result depends on it.
    """

class PairMerger:
    """Byte-pair encoding trainer: merges the best pair of adjacent ids, one after the other."""

    def __init__(
        self,
        ids: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        weights: NDArray[np.int64],
        lengths: NDArray[np.uint32],
        *,
        merges: int,
        by_length: bool,
        max_token_bytes: int,
        threads: int,
        max_positions: int = 0,
        first_seen: bool = False,
    ) -> None:
        """Prepare for at most `merges` merges; counts are those of `count_pairs`.

        Args:
            ids: [tokens] of all documents; document i is `ids[offsets[i]:offsets[i + 1]]`.
            offsets: [documents + 1], of the documents in `ids`.
            weights: [documents], occurrences of each document; empty: one each.
            lengths: [ids], bytes of each id.
            merges: the maximum number of merges.
            by_length: the score of a pair is its count × the bytes of both ids, else its count.
            max_token_bytes: pairs of more bytes are not merged, nor pairs that count less than 2.
            threads: no result depends on it.
            max_positions: positions held at a time; 0: a default; no result depends on it.
            first_seen: ties go to the pair that occurs first, else to the smaller ids.
        """

    def best(self) -> tuple[int, int, int] | None:
        """Return left, right and count of the pair with the highest score."""

    def merge(self) -> int:
        """Replace that pair everywhere, from left to right, by a new id, and return the id."""

    def exclude(self) -> None:
        """Never return that pair again."""

class EntryTrie:
    """Trie of a vocabulary in training: what a change of it does to the number of tokens."""

    def __init__(self, entries: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """The entries begin with the 256 single bytes; candidates follow those in use."""

    def marginal_costs(
        self,
        used: int,
        removals: bool,
        texts: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        threads: int,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Encode with the entries in use; return uses [entries], deltas [entries] and the tokens.

        The delta of an entry in use is by how many the tokens grow without it, that of a candidate
        by how many they grow with it alone (below 0 where it saves some). Both are exact.

        Args:
            used: the first `used` entries are in use, the others are candidates.
            removals: compute the deltas of entries in use, which are 0 otherwise.
            texts: [bytes], all texts, concatenated.
            offsets: [texts + 1], where each begins, and the end of the last.
            threads: 0: one per core; no result depends on it.
        """

    def fewest_tokens(
        self, texts: NDArray[np.uint8], offsets: NDArray[np.int64], threads: int
    ) -> int:
        """Return the fewest tokens of any segmentation of the texts into the entries.

        The texts are [bytes], concatenated, and begin at offsets [texts + 1].
        """
