"""Robust fit of e + a·N^-α + b·D^-β to values of runs: a search over (α, β), with bootstrap.

The coefficients are linear for given exponents (variable projection), so the search is over two
numbers: a grid over all of their range, then smaller and smaller grids around the best point.
"""

from dataclasses import dataclass

import numpy as np

from spiketok.errors import SpikeError

from .line_search import LARGEST, SMALLEST, exponent_grid
from .nonnegative import Array, robust_bound, solve_huber

# Fewer runs than parameters and one leave no residual.
FEWEST_RUNS = 6
GRID = 14
LOG_RANGE = np.log(SMALLEST), np.log(LARGEST)
# Levels of smaller grids of 3 by 3; each has an edge 0.6 times that of the one before.
LEVELS, SHRINK = 15, 0.6
# Rounds of fitting and measuring the scale of the noise.
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFit:
    """Fit of five numbers, or four without e.

    Attributes:
        row: e, a, α, b and β, [5].
        fitted: values of the fit, [n].
        residuals: relative, [n].
        noise: standard deviation of the relative residuals, for the degrees of freedom left.
        replicates: e, a, α, b and β of each bootstrap sample, [R, 5].
    """

    row: Array
    fitted: Array
    residuals: Array
    noise: float
    replicates: Array


def fit_pairs(
    sizes: Array, lengths: Array, values: Array, *, floor: bool, replicates: int, seed: int
) -> PairFit:
    """Fit the values, and bootstrap samples of their residuals.

    Residuals are sampled over runs, enlarged for the degrees of freedom: they are smaller than the
    noise, for the fit follows it.

    Args:
        sizes: N, [n].
        lengths: D, [n].
        values: [n], positive.
        floor: whether e is fitted; else it is 0.
        replicates: bootstrap samples.
        seed: of the bootstrap.
    """
    scale, bound = np.abs(values), np.inf
    for _ in range(ROUNDS):
        row = search_exponents(sizes, lengths, values[None], scale, bound, floor)[0]
        fitted = values_of(row, sizes, lengths)
        relative = (values - fitted) / fitted
        scale, bound = fitted, robust_bound(relative, 1e-9)
    freedom = len(values) - (5 if floor else 4)
    wide = (relative - relative.mean()) * np.sqrt(len(values) / freedom)
    chosen = np.random.default_rng(seed).choice(wide, (replicates, len(values)))
    found = search_exponents(sizes, lengths, fitted * (1 + chosen), fitted, bound, floor)
    return PairFit(
        row=row,
        fitted=fitted,
        residuals=relative,
        noise=float(np.sqrt((relative**2).sum() / freedom)),
        replicates=found,
    )


def values_of(row: Array, sizes: Array, lengths: Array) -> Array:
    """Return e + a·N^-α + b·D^-β [n] of a row [5]."""
    e, a, alpha, b, beta = row
    found: Array = e + a * sizes**-alpha + b * lengths**-beta
    return found


def check_runs(sizes: Array, lengths: Array, values: Array, origin: str) -> None:
    """Check that runs can determine the parameters.

    Args:
        sizes: N, [n].
        lengths: D, [n].
        values: losses, [n].
        origin: source of the losses, for messages.

    Raises:
        SpikeError: a number is not finite, or there are too few runs, sizes or lengths.
    """
    if not all(np.isfinite(part).all() for part in (sizes, lengths, values)):
        raise SpikeError(f"{origin}: a loss is not finite; leave out the run that diverged")
    if len(values) < FEWEST_RUNS:
        raise SpikeError(
            f"{origin}: {len(values)} runs for the five parameters of a joint fit; name at least "
            f"{FEWEST_RUNS}"
        )
    for part, what in ((sizes, "model sizes"), (lengths, "lengths in tokens")):
        if len(np.unique(part)) < 3:
            raise SpikeError(f"{origin}: fewer than 3 {what}; add runs of other {what}")


def search_exponents(
    sizes: Array, lengths: Array, values: Array, scale: Array, bound: float, floor: bool
) -> Array:
    """Return e, a, α, b and β [R, 5] of each row of values [R, n].

    Args:
        sizes: N, [n].
        lengths: D, [n].
        values: [R, n].
        scale: [n]: a residual is divided by it.
        bound: of Huber's loss of a residual.
        floor: whether e is fitted.
    """
    rows = len(values)
    grid = exponent_grid(GRID)
    ratio = np.log(grid[1] / grid[0])
    best, least = np.zeros((rows, 2)), np.full(rows, np.inf)
    pairs = np.stack(np.meshgrid(np.log(grid), np.log(grid)), axis=-1).reshape(-1, 2)
    around = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    for level in range(LEVELS + 1):
        centre = best.copy()
        for step in pairs if level == 0 else around * ratio * SHRINK ** (level - 1):
            place = np.clip(centre[:1] + step if level == 0 else centre + step, *LOG_RANGE)
            features = _features(sizes, lengths, np.exp(place), scale, floor)
            cost = solve_huber(features, values / scale, bound)[1]
            better = cost < least
            least = np.where(better, cost, least)
            best = np.where(better[:, None], place, best)
    alpha, beta = np.exp(best).T
    features = _features(sizes, lengths, np.exp(best), scale, floor)
    linear = solve_huber(features, values / scale, bound)[0]
    e = linear[:, 0] if floor else np.zeros(rows)
    # The features are of N and D over their first values, so that all numbers have one size.
    a, b = linear[:, -2] * sizes[0] ** alpha, linear[:, -1] * lengths[0] ** beta
    return np.stack([e, a, alpha, b, beta], axis=1)


def _features(sizes: Array, lengths: Array, exponents: Array, scale: Array, floor: bool) -> Array:
    """Return the columns of e, a and b [R, n, 3] of exponents [R, 2]; without e [R, n, 2].

    Args:
        sizes: N, [n].
        lengths: D, [n].
        exponents: α and β.
        scale: [n]: the columns are divided by it.
        floor: whether e has a column.
    """
    of_size = (sizes / sizes[0]) ** -exponents[:, :1] / scale
    of_length = (lengths / lengths[0]) ** -exponents[:, 1:] / scale
    constant = [np.broadcast_to(1 / scale, of_size.shape)] if floor else []
    return np.stack([*constant, of_size, of_length], axis=2)
