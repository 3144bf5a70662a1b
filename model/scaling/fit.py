"""Fit of L(D) = E + B·D^-β to one training curve, by variable projection, with intervals.

Variable projection (Golub and Pereyra 1973): of a given β, E and B are linear and found exactly,
so the search is over β alone, and global. The loss is Huber's on relative residuals, to first
order those of the logarithms, as in Hoffmann et al. 2022. Their bound of 0.001 is for the final
losses of many runs; here it follows the noise of the curve.
"""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from spiketok.errors import SpikeError

from .bootstrap import block_length, interval_of, resampled_blocks
from .law import DataLaw, Interval
from .line_search import LARGEST, SMALLEST, minimise_exponent
from .nonnegative import Array, robust_bound, solve_huber

# Fewer points leave three parameters without an interval.
FEWEST_POINTS = 8
# Losses of a training: from text known by heart to the certainty of another token.
LEAST_NATS, MOST_NATS = 1e-6, 1e6
# More points are averaged in groups of neighbours.
MOST_POINTS = 300
# Ratio to a bound below which an exponent is at the bound.
NEAR = 1.02
# Rounds of fitting and measuring the scale of the noise.
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFit:
    """Fitted scaling law of one model size.

    Attributes:
        law: the fit; nats per token.
        intervals: 95 % intervals of `e`, `b` and `beta`, by moving-block bootstrap.
        r2: share of the losses' variance that the fit explains.
        points: losses that were fitted, warm-up left out.
        fitted_points: groups of neighbours they were averaged to.
        warmup_points: losses that were left out.
        first_tokens: D of the first point fitted.
        last_tokens: D of the last one, the end of the curve.
        block: points of a block of the bootstrap.
        noise: standard deviation of the relative residuals, robust.
        unidentified: why the curve does not determine the parameters; "" where it does.
        replicates: E, B and β of each bootstrap sample, [R, 3].
    """

    law: DataLaw
    intervals: dict[str, Interval]
    r2: float
    points: int
    fitted_points: int
    warmup_points: int
    first_tokens: float
    last_tokens: float
    block: int
    noise: float
    unidentified: str
    replicates: Array = field(repr=False, compare=False)

    def band(self, tokens: Array) -> tuple[Array, Array]:
        """Return the 95 % interval of the fitted loss at each of the tokens [n]."""
        e, b, beta = self.replicates.T[:, :, None]
        low, high = np.quantile(e + b * tokens**-beta, [0.025, 0.975], axis=0)
        return low, high


def fit_data_scaling(
    tokens: Array,
    losses: Array,
    *,
    warmup_tokens: float = 0.0,
    replicates: int = 300,
    seed: int = 0,
    origin: str = "losses",
) -> DataFit:
    """Fit E + B·D^-β to a curve of losses.

    Args:
        tokens: [n]: training tokens D before each loss, increasing.
        losses: [n]: nats per token.
        warmup_tokens: points with fewer tokens are left out, and those of D = 0.
        replicates: bootstrap samples.
        seed: of the bootstrap.
        origin: source of the losses, for messages.

    Raises:
        SpikeError: a number is not finite or no loss, too few points are left, or the loss does
            not fall.
    """
    tokens, losses = np.asarray(tokens, np.float64), np.asarray(losses, np.float64)
    if not (np.isfinite(tokens).all() and np.isfinite(losses).all()):
        raise SpikeError(f"{origin}: a loss is not finite; name a run that trained to its end")
    if len(losses) and not LEAST_NATS <= losses.min() <= losses.max() <= MOST_NATS:
        fault = f"a loss is not between {LEAST_NATS:g} and {MOST_NATS:g} nats"
        raise SpikeError(f"{origin}: {fault}; name nats per token")
    kept = tokens >= max(1.0, warmup_tokens)
    kept_tokens, kept_losses = tokens[kept], losses[kept]
    if len(kept_tokens) < FEWEST_POINTS:
        left = f"{len(kept_tokens)} losses after the warm-up"
        raise SpikeError(f"{origin}: {left}, at least {FEWEST_POINTS} needed; log more often")
    points, values = averaged(kept_tokens), averaged(kept_losses)
    law, noise = _fit_one(points, values)
    if law.b == 0 or not np.ptp(values):
        raise SpikeError(f"{origin}: the loss does not fall after the warm-up; name another run")
    fitted = law.loss(points)
    relative = (values - fitted) / fitted
    block = block_length(relative)
    random = np.random.default_rng(seed)
    chosen = resampled_blocks(len(points), block, replicates, random)
    samples = fitted * (1 + (relative - relative.mean())[chosen])
    found = _fit(points, samples, fitted, robust_bound(relative, 1e-12))
    intervals = {
        name: interval_of(column) for name, column in zip(("e", "b", "beta"), found.T, strict=True)
    }
    total = float(((values - values.mean()) ** 2).sum())
    return DataFit(
        law=law,
        intervals=intervals,
        r2=1 - float(((values - fitted) ** 2).sum()) / total,
        points=len(kept_tokens),
        fitted_points=len(points),
        warmup_points=len(tokens) - len(kept_tokens),
        first_tokens=float(points[0]),
        last_tokens=float(kept_tokens[-1]),
        block=block,
        noise=noise,
        unidentified=why_unidentified(law, intervals["beta"], found),
        replicates=found,
    )


def averaged(values: Array) -> Array:
    """Return the means [m] of equal groups of neighbours of [n], m at most `MOST_POINTS`.

    >>> averaged(np.arange(3.0))
    array([0., 1., 2.])
    """
    group = -(-len(values) // MOST_POINTS)
    whole = len(values) // group * group
    # The rest is the beginning, so that the end of the curve counts.
    means: Array = values[len(values) - whole :].reshape(-1, group).mean(axis=1)
    return means


def _fit_one(points: Array, values: Array) -> tuple[DataLaw, float]:
    """Return the law of one curve and its noise; the scales of the residuals follow the fit."""
    scale, bound = np.abs(values), np.inf
    for _ in range(ROUNDS):
        e, b, beta = _fit(points, values[None], scale, bound)[0].tolist()
        fitted = DataLaw(e, b, beta).loss(points)
        relative = (values - fitted) / fitted
        scale, bound = fitted, robust_bound(relative, 1e-12)
    return DataLaw(e, b, beta), bound / 1.345


def _fit(points: Array, values: Array, scale: Array, bound: float) -> Array:
    """Return E, B and β [R, 3] of each row of values [R, n].

    Args:
        points: tokens, [n].
        values: losses, [R, n].
        scale: [n]: a residual is divided by it.
        bound: of Huber's loss of a residual.
    """
    beta = minimise_exponent(
        partial(_cost, points=points, values=values, scale=scale, bound=bound), len(values)
    )
    features = _features(points, beta, scale)
    linear, _ = solve_huber(features, values / scale, bound)
    # The features are of D over the first D, so that their numbers have one size.
    b = linear[:, 1] * points[0] ** beta
    return np.stack([linear[:, 0], b, beta], axis=1)


def _cost(beta: Array, *, points: Array, values: Array, scale: Array, bound: float) -> Array:
    return solve_huber(_features(points, beta, scale), values / scale, bound)[1]


def _features(points: Array, beta: Array, scale: Array) -> Array:
    """Return the columns of E and B [R, n, 2] of exponents [R], over the scale."""
    term = (points / points[0]) ** -beta[:, None]
    return np.stack([np.broadcast_to(1 / scale, term.shape), term / scale], axis=2)


def why_unidentified(law: DataLaw, beta: Interval, replicates: Array) -> str:
    """Return why a curve does not determine its law; "" where it does.

    Args:
        law: the fit.
        beta: interval of β.
        replicates: E, B and β of the bootstrap, [R, 3].
    """
    if beta.low <= SMALLEST * NEAR or beta.high >= LARGEST / NEAR:
        return (
            f"β is not identified: its interval reaches the bound of the search, {SMALLEST} to "
            f"{LARGEST:.0f}"
        )
    if float((replicates[:, 1] == 0).mean()) > 0.025:
        return "B is not identified: its interval covers 0, so the loss may not fall"
    if law.e == 0 or float((replicates[:, 0] == 0).mean()) > 0.025:
        return "E is not identified: its interval covers 0"
    return ""
