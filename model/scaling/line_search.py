"""Search of an exponent: a grid over all of its range, then golden-section search, in a batch."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

# Published exponents are between 0.05 and 0.6; a value at a bound means that none is identified.
SMALLEST, LARGEST = 0.02, 3.0
GOLDEN = (math.sqrt(5) - 1) / 2
# Steps after which the bracket is 1e-5 of its length.
STEPS = 24


def exponent_grid(count: int) -> Array:
    """Return exponents [count] from the smallest to the largest, in equal ratios."""
    return np.geomspace(SMALLEST, LARGEST, count)


def minimise_exponent(cost: Callable[[Array], Array], problems: int, points: int = 48) -> Array:
    """Return the exponent of the least cost of each of R problems.

    The grid finds the best of several minima, which are at least a ratio of 1.11 apart with 48
    points, and golden-section search refines it.

    Args:
        cost: maps exponents [R], or [1] for all problems, to costs [R].
        problems: R.
        points: of the grid.
    """
    grid = exponent_grid(points)
    costs = np.stack([np.broadcast_to(cost(grid[i : i + 1]), problems) for i in range(points)])
    best = costs.argmin(axis=0)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, points - 1)]
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    left_cost, right_cost = cost(left), cost(right)
    for _ in range(STEPS):
        shrink = left_cost < right_cost
        high, low = np.where(shrink, right, high), np.where(shrink, low, left)
        kept, kept_cost = np.where(shrink, left, right), np.where(shrink, left_cost, right_cost)
        other = np.where(shrink, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        other_cost = cost(other)
        left, right = np.where(shrink, other, kept), np.where(shrink, kept, other)
        left_cost = np.where(shrink, other_cost, kept_cost)
        right_cost = np.where(shrink, kept_cost, other_cost)
    found: Array = (low + high) / 2
    return found
