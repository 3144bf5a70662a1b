"""Sparkline: a series of numbers as one line of characters."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

BLOCKS, ASCII = "▁▂▃▄▅▆▇█", ".:-=+*#%"


def sparkline(values: Sequence[float], width: int, levels: str = BLOCKS) -> str:
    """Return a series as at most `width` characters, each the mean of equal parts of it.

    Args:
        values: the series; values that are not finite are left out.
        width: largest number of characters.
        levels: characters from the least value to the greatest.

    >>> sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8), sparkline([3, 3, 9, 9], 2, ASCII)
    ('▁▂▃▄▅▆▇█', '.%')
    >>> sparkline([2, 2], 8), sparkline([], 8)
    ('▁▁', '')
    """
    finite = [value for value in values if isfinite(value)]
    largest = max(map(abs, finite), default=1.0) or 1.0
    series = [value / largest for value in finite]  # sums and differences stay finite
    count = min(width, len(series))
    bounds = [part * len(series) // count for part in range(count + 1)] if count > 0 else [0]
    means = [sum(series[start:stop]) / (stop - start) for start, stop in pairwise(bounds)]
    if not means:
        return ""
    least, span = min(means), max(means) - min(means)
    top = len(levels) - 1
    return "".join(levels[round(top * (mean - least) / span) if span else 0] for mean in means)
