"""Paired comparison of two models on the same items: bootstrap intervals, McNemar's test."""

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95
# Items whose weights of one resample are in memory at once.
BLOCK_ITEMS = 1 << 22
# Different values up to which counts of them are resampled instead of items.
FEW_VALUES = 16


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Difference of two ratios of sums over the same items, second minus first.

    Attributes:
        first: ratio of the first model.
        second: ratio of the second model.
        low: lower end of the 95 % bootstrap interval of the difference; None below two items.
        high: its upper end.
        items: number of items.
    """

    first: float
    second: float
    low: float | None
    high: float | None
    items: int

    @property
    def difference(self) -> float:
        """Second ratio minus the first."""
        return self.second - self.first

    @property
    def distinguishable(self) -> bool:
        """Whether the interval exists and does not hold 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def paired_bootstrap(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
    resamples: int = RESAMPLES,
) -> PairedDifference:
    """Return the paired percentile bootstrap of a difference of ratios (Efron, 1979).

    Items are resampled with replacement, both models' values of an item together. With weights the
    ratio is that of sums, such as bits over bytes; without them it is the mean.

    Args:
        first: values of the first model [n].
        second: values of the second model on the same items [n].
        weights: denominators [n]; None: 1 each.
        resamples: number of resamples.
    """
    count = len(first)
    sizes = np.ones(count) if weights is None else weights.astype(np.float64)
    total = float(sizes.sum())
    if not total:
        return PairedDifference(float("nan"), float("nan"), None, None, count)
    ratios = float(first.sum() / total), float(second.sum() / total)
    if count < 2:
        return PairedDifference(*ratios, None, None, count)
    differences = _resampled(second - first, None if weights is None else sizes, resamples)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return PairedDifference(*ratios, float(low), float(high), count)


def _resampled(
    differences: NDArray[np.float64], sizes: NDArray[np.float64] | None, resamples: int
) -> NDArray[np.float64]:
    """Return the resampled ratios of differences [n] to sizes [n], or means without sizes."""
    count, rng = len(differences), np.random.default_rng(SEED)
    values, counts = np.unique(differences, return_counts=True)
    if sizes is None and len(values) <= FEW_VALUES:
        # The same distribution as that of resampling each item, in time without their number.
        resampled = rng.multinomial(count, counts / count, resamples)
        means: NDArray[np.float64] = resampled @ values / count
        return means
    found = []
    at_once = max(1, BLOCK_ITEMS // count)
    for start in range(0, resamples, at_once):
        chosen = rng.integers(0, count, (min(at_once, resamples - start), count), dtype=np.int32)
        numerators = differences[chosen].sum(1)
        denominators = np.full(len(chosen), count) if sizes is None else sizes[chosen].sum(1)
        found.append(numerators[denominators > 0] / denominators[denominators > 0])
    return np.concatenate(found)


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value of McNemar's test (McNemar, 1947).

    Args:
        only_first: items that only the first model solves.
        only_second: items that only the second model solves.

    >>> mcnemar_exact(0, 0), round(mcnemar_exact(0, 5), 12)
    (1.0, 0.0625)
    """
    n, k = only_first + only_second, min(only_first, only_second)
    # In logarithms: a term may be below the least float.
    least = lgamma(n + 1) + n * log(0.5)
    tail = sum(exp(least - lgamma(i + 1) - lgamma(n - i + 1)) for i in range(k + 1))
    return min(1.0, 2 * tail)
