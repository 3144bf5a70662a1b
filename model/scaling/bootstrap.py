"""Moving-block bootstrap: intervals for numbers that are correlated along a curve.

Losses along a training curve share the drift of the weights and of the data, so residuals next to
each other are alike. The plain bootstrap samples them one by one and its intervals are too narrow;
blocks of neighbours keep the correlation (Künsch 1989).
"""

import math

import numpy as np
from numpy.typing import NDArray

from .law import Interval
from .nonnegative import Array

# Share of the replicates in an interval.
COVERAGE = 0.95
# Largest correlation of neighbours that the length of a block allows for.
MOST_CORRELATED = 0.95


def block_length(residuals: Array) -> int:
    """Return the length of a block: Carlstein's rule for the correlation of neighbours.

    (√6·ρ / (1 - ρ²))^(2/3) · n^(1/3) (Carlstein 1986), at least n^(1/3), at most n/4, for
    residuals [n].

    >>> block_length(np.resize([1.0, -1.0], 1000))
    10
    """
    count = len(residuals)
    centred = residuals - residuals.mean()
    power = float((centred**2).sum())
    together = float((centred[1:] * centred[:-1]).sum())
    correlation = min(max(together / power if power else 0.0, 0.0), MOST_CORRELATED)
    rule = (math.sqrt(6) * correlation / (1 - correlation**2)) ** (2 / 3) * count ** (1 / 3)
    return max(1, min(round(float(max(rule, count ** (1 / 3)))), count // 4))


def resampled_blocks(
    count: int, length: int, replicates: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return indices [replicates, count] made of blocks of neighbours, sampled with replacement.

    Args:
        count: of the residuals.
        length: of a block; 1 for the plain bootstrap.
        replicates: number of samples.
        random: generator.
    """
    blocks = -(-count // length)
    starts = random.integers(0, count - length + 1, (replicates, blocks, 1))
    found: NDArray[np.int64] = (starts + np.arange(length)).reshape(replicates, -1)[:, :count]
    return found


def interval_of(values: Array, coverage: float = COVERAGE) -> Interval:
    """Return the percentile interval of replicates [R].

    >>> round(interval_of(np.arange(201.0)).high, 6)
    195.0
    """
    tail = (1 - coverage) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))
