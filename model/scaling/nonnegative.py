"""Robust least squares with nonnegative coefficients, for a batch of small problems.

Of a scaling law with given exponents all coefficients are linear and none is negative. There are
at most three, so where the plain solution has a negative one, each subset of positive ones is
solved, and the best admissible one is the exact optimum.
"""

from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

# Rounds of reweighting; the objective falls in each and has settled to 1e-4 of itself.
REWEIGHTINGS = 6
# Share of the mean square of a column: columns that are nearly parallel, of a tiny exponent, have
# no unique solution.
RIDGE = 1e-13


def solve_least_squares(features: Array, values: Array, weights: Array) -> Array:
    """Return the nonnegative coefficients [R, K] of the least weighted squares.

    Args:
        features: [R, n, K], or [1, n, K] where all problems have the same.
        values: [R, n].
        weights: [R, n], nonnegative.
    """
    count = features.shape[2]
    size = np.abs(features).max(axis=1)
    scaled = features / size[:, None, :]
    if len(features) == 1:
        products = scaled[0, :, :, None] * scaled[0, :, None, :]
        gram = (weights @ products.reshape(-1, count * count)).reshape(-1, count, count)
        moment = (weights * values) @ scaled[0]
    else:
        turned = np.swapaxes(scaled * weights[..., None], 1, 2)
        gram = turned @ scaled
        moment = (turned @ values[..., None])[..., 0]
    found = _solved(gram, moment)
    negative = (found < 0).any(axis=1)
    if negative.any():
        found[negative] = _best_subset(gram[negative], moment[negative])
    scaled_back: Array = found / size
    return scaled_back


def _solved(gram: Array, moment: Array) -> Array:
    """Return the solutions [R, K] of normal equations [R, K, K] and [R, K]."""
    count = moment.shape[1]
    ridge = RIDGE * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(count)
    found: Array = np.linalg.solve(gram + ridge, moment[..., None])[..., 0]
    return found


def _best_subset(gram: Array, moment: Array) -> Array:
    """Return the best nonnegative solutions of normal equations, zero outside of a subset."""
    problems, count = moment.shape
    best, least = np.zeros((problems, count)), np.zeros(problems)
    for number in range(1, count):
        for chosen in combinations(range(count), number):
            part, side = gram[:, chosen, :][:, :, chosen], moment[:, chosen]
            found = _solved(part, side)
            # The squares without those of the values, which are the same for each subset.
            cost = ((part @ found[..., None])[..., 0] * found - 2 * found * side).sum(axis=1)
            better = (found >= 0).all(axis=1) & (cost < least)
            least = np.where(better, cost, least)
            whole = np.zeros((problems, count))
            whole[:, chosen] = found
            best = np.where(better[:, None], whole, best)
    return best


def residuals_of(features: Array, values: Array, coefficients: Array) -> Array:
    """Return the residuals [R, n] of coefficients [R, K]."""
    if len(features) == 1:
        found: Array = values - coefficients @ features[0].T
        return found
    left: Array = values - (features @ coefficients[..., None])[..., 0]
    return left


def solve_huber(features: Array, values: Array, bound: float) -> tuple[Array, Array]:
    """Return nonnegative coefficients [R, K] of the least Huber loss, and that loss [R].

    The problem is convex; iteratively reweighted least squares solves it. An infinite bound is
    that of plain least squares.

    Args:
        features: [R, n, K], or [1, n, K] where all problems have the same.
        values: [R, n].
        bound: residual above which the loss is linear.
    """
    coefficients = solve_least_squares(features, values, np.ones_like(values))
    residuals = residuals_of(features, values, coefficients)
    if not np.isfinite(bound):
        return coefficients, (residuals**2).mean(axis=1) / 2
    for _ in range(REWEIGHTINGS):
        weights = bound / np.maximum(np.abs(residuals), bound)
        coefficients = solve_least_squares(features, values, weights)
        residuals = residuals_of(features, values, coefficients)
    return coefficients, huber(residuals, bound)


def huber(residuals: Array, bound: float) -> Array:
    """Return the mean Huber loss over the last axis: squares up to `bound`, linear beyond.

    Residuals are of any shape.

    >>> huber(np.array([1.0, 3.0]), 2.0)
    np.float64(2.25)
    """
    size = np.abs(residuals)
    inner = np.minimum(size, bound)
    found: Array = (inner * (size - inner / 2)).mean(axis=-1)
    return found


def robust_bound(residuals: Array, smallest: float) -> float:
    """Return the bound of Huber's loss for a residual's scale.

    1.345 standard deviations lose 5 % of efficiency for normal noise (Huber 1981); the deviation
    is 1.4826 times the median absolute one, which outliers do not move.

    Args:
        residuals: of a first fit, [n].
        smallest: bound where there is no noise.
    """
    return max(1.345 * 1.4826 * float(np.median(np.abs(residuals))), smallest)
