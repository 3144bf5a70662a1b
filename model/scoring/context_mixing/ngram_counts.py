"""N-gram counts of training data as a few arrays, to store and to continue from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class PrunedNgramCounts:
    """Trie of n-grams, level by level, siblings by rising token; n-gram 0 is the empty one."""

    children: Numbers
    """[n + 1]: number of children of each, n-grams that are one token longer."""
    tokens: Numbers
    """[n]: the last token of each but the empty one."""
    counts: Numbers
    """[n]: their counts."""
    pruned: Numbers
    """[n + 1]: total count after each that is in none of its children."""

    @classmethod
    def of_ngrams(
        cls,
        parents: Numbers,
        tokens: Numbers,
        counts: Numbers,
        totals: Numbers,
    ) -> "PrunedNgramCounts":
        """Sort n-grams, parents before children, into their storage order.

        Args:
            parents: [n], of n-gram i + 1 its number without the last token; 0 is the empty one.
            tokens: [n], the last token of each.
            counts: [n].
            totals: [n + 1], the count of all tokens after each.
        """
        order, places = _by_level(parents, tokens)
        children = np.bincount(places[parents], minlength=len(parents) + 1)
        sums = np.bincount(parents, weights=counts, minlength=len(parents) + 1)
        pruned = np.zeros(len(parents) + 1, np.uint32)
        pruned[places] = np.where(children[places] > 0, totals - sums.astype(np.uint32), 0)
        return cls(
            children.astype(np.uint32),
            tokens[order],
            counts[order],
            pruned,
        )

    def ngrams(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Return parents, tokens, counts and totals, parents first.

        Raises:
            ValueError: the arrays do not fit each other.
        """
        size = len(self.tokens)
        if not len(self.children) - 1 == size == len(self.counts) == len(self.pruned) - 1:
            raise ValueError("the arrays of the counts differ in length")
        if int(self.children.sum(dtype=np.uint64)) != size:
            raise ValueError("the n-grams are not as many as their parents have children")
        parents = np.repeat(np.arange(size + 1, dtype=np.uint32), self.children)
        sums = np.bincount(parents, weights=self.counts, minlength=size + 1) + self.pruned
        if sums.max() >= 1 << 31:
            raise ValueError("the counts are too large")
        return parents, self.tokens, self.counts, sums.astype(np.uint32)


def _by_level(parents: Numbers, tokens: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the n-grams in order, and the place of each n-gram, the empty one being 0."""
    depths = np.zeros(len(parents) + 1, np.int64)
    level, members = 0, np.arange(len(parents))
    while len(members):
        level += 1
        depths[members + 1] = level
        # Those whose parents are one level down already are one level further down themselves.
        members = members[depths[parents[members]] == level]
    places = np.zeros(len(parents) + 1, np.int64)
    order: list[NDArray[np.int64]] = []
    first = 1
    for depth in range(1, level + 1):
        members = np.flatnonzero(depths[1:] == depth)
        members = members[np.lexsort((tokens[members], places[parents[members]]))]
        places[members + 1] = np.arange(first, first + len(members))
        first += len(members)
        order.append(members)
    return np.concatenate(order) if order else np.zeros(0, np.int64), places
