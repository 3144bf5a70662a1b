"""Kneser–Ney discounts by length, from the numbers of n-grams that count 1, 2, 3, 4."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Discounts: TypeAlias = NDArray[np.float64]
"""[lengths, 4]: subtracted from counts 1, 2 and more, and θ, the extra weight of the base."""

START = (0.6, 1.0, 1.4, 0.0)


def estimate_discounts(counts_of_counts: NDArray[np.uint64]) -> Discounts:
    """Return the discounts of modified Kneser–Ney smoothing (Chen & Goodman 1998), by length.

    Args:
        counts_of_counts: how many n-grams of k + 1 tokens count 1, 2, 3 and 4, at [4k … 4k + 3].

    Returns:
        [lengths, 4]. A length with fewer than 100 n-grams of any of these counts has default
        discounts.

    >>> estimate_discounts(np.array([1000, 400, 200, 120], np.uint64)).round(3).tolist()
    [[0.556, 1.167, 1.667, 0.0]]
    """
    rows = counts_of_counts.reshape(-1, 4).astype(np.float64)
    found = np.tile(np.array(START), (len(rows), 1))
    for discount, (once, twice, thrice, four) in zip(found, rows, strict=True):
        if min(once, twice, thrice, four) >= 100:
            share = once / (once + 2 * twice)
            discount[0] = 1 - 2 * share * twice / once
            discount[1] = min(2.0, max(0.0, 2 - 3 * share * thrice / twice))
            discount[2] = min(3.0, max(0.0, 3 - 4 * share * four / thrice))
    return found
