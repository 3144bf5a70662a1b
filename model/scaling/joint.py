"""Joint fit of L(N, D) = E + A·N^-α + B·D^-β over runs, by variable projection, with intervals.

E, A and B are linear for given exponents, so the search is over (α, β) alone: a grid over all of
their range, then smaller and smaller grids around the best point. The loss is Huber's on relative
residuals, as in `fit.py`. One number of each run is fitted, its final loss: losses within a run
precede the decay of its learning rate and are of another law.
"""

from dataclasses import dataclass, field

import numpy as np

from spiketok.errors import SpikeError

from .bootstrap import interval_of
from .law import Interval, JointLaw
from .line_search import LARGEST, SMALLEST, exponent_grid
from .nonnegative import Array, robust_bound, solve_huber

# Fewer runs than parameters and one leave no residual.
FEWEST_RUNS, PARAMETERS = 6, 5
GRID = 14
LOG_RANGE = np.log(SMALLEST), np.log(LARGEST)
# Levels of smaller grids of 3 by 3; each has an edge 0.6 times that of the one before.
LEVELS, SHRINK = 15, 0.6
# Rounds of fitting and measuring the scale of the noise.
ROUNDS = 3
# Ratio to a bound within which an exponent is at the bound.
NEAR = 1.02
NAMES = ("e", "a", "alpha", "b", "beta")


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFit:
    """Fitted scaling law of parameters and data.

    Attributes:
        law: the fit; nats per token.
        intervals: 95 % intervals of E, A, α, B and β, by bootstrap of residuals over runs.
        r2: share of the losses' variance that the fit explains.
        runs: number of runs.
        noise: standard deviation of the relative residuals, for the degrees of freedom left.
        unidentified: why the runs do not determine the parameters; "" where they do.
        residuals: relative residual of each run, [n].
        replicates: E, A, α, B and β of each bootstrap sample, [R, 5].
    """

    law: JointLaw
    intervals: dict[str, Interval]
    r2: float
    runs: int
    noise: float
    unidentified: str
    residuals: Array = field(repr=False, compare=False)
    replicates: Array = field(repr=False, compare=False)

    def predictions(self, parameters: float, tokens: float) -> Array:
        """Return the loss of N and D by each bootstrap sample's law, [R]."""
        e, a, alpha, b, beta = self.replicates.T
        found: Array = e + a * parameters**-alpha + b * tokens**-beta
        return found


def fit_joint_scaling(
    parameters: Array,
    tokens: Array,
    losses: Array,
    *,
    replicates: int = 300,
    seed: int = 0,
    origin: str = "runs",
) -> JointFit:
    """Fit E + A·N^-α + B·D^-β to the final losses of runs.

    Args:
        parameters: N of each run, [n].
        tokens: D of each run, [n].
        losses: final loss of each run in nats per token, [n].
        replicates: bootstrap samples.
        seed: of the bootstrap.
        origin: source of the losses, for messages.

    Raises:
        SpikeError: a number is not finite, or there are too few runs, sizes or lengths.
    """
    sizes, lengths, values = (np.asarray(part, np.float64) for part in (parameters, tokens, losses))
    check_runs(sizes, lengths, values, origin)
    scale, bound = np.abs(values), np.inf
    for _ in range(ROUNDS):
        row = _fit(sizes, lengths, values[None], scale, bound)
        law = JointLaw(*row[0].tolist())
        fitted = law.loss(sizes, lengths)
        relative = (values - fitted) / fitted
        scale, bound = fitted, robust_bound(relative, 1e-9)
    freedom = len(values) - PARAMETERS
    noise = float(np.sqrt((relative**2).sum() / freedom))
    # Residuals are smaller than the noise, for the fit follows it.
    wide = (relative - relative.mean()) * np.sqrt(len(values) / freedom)
    random = np.random.default_rng(seed)
    samples = fitted * (1 + random.choice(wide, (replicates, len(values))))
    found = _fit(sizes, lengths, samples, fitted, bound)
    total = float(((values - values.mean()) ** 2).sum())
    intervals = {name: interval_of(column) for name, column in zip(NAMES, found.T, strict=True)}
    return JointFit(
        law=law,
        intervals=intervals,
        r2=1 - float(((values - fitted) ** 2).sum()) / total if total else 0.0,
        runs=len(values),
        noise=noise,
        unidentified=why_unidentified(law, intervals),
        residuals=relative,
        replicates=found,
    )


def check_runs(sizes: Array, lengths: Array, values: Array, origin: str) -> None:
    """Check that runs can determine five parameters.

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


def _fit(sizes: Array, lengths: Array, values: Array, scale: Array, bound: float) -> Array:
    """Return E, A, α, B and β [R, 5] of each row of values [R, n].

    Args:
        sizes: N, [n].
        lengths: D, [n].
        values: losses, [R, n].
        scale: [n]: a residual is divided by it.
        bound: of Huber's loss of a residual.
    """
    rows = len(values)
    grid = exponent_grid(GRID)
    ratio = np.log(grid[1] / grid[0])
    best = np.zeros((rows, 2))
    least = np.full(rows, np.inf)
    pairs = np.stack(np.meshgrid(np.log(grid), np.log(grid)), axis=-1).reshape(-1, 2)
    around = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])
    for level in range(LEVELS + 1):
        centre = best.copy()
        for step in pairs if level == 0 else around * ratio * SHRINK ** (level - 1):
            place = np.clip(centre[:1] + step if level == 0 else centre + step, *LOG_RANGE)
            features = _features(sizes, lengths, np.exp(place), scale)
            cost = solve_huber(features, values / scale, bound)[1]
            better = cost < least
            least = np.where(better, cost, least)
            best = np.where(better[:, None], place, best)
    exponents = np.exp(best)
    linear = solve_huber(_features(sizes, lengths, exponents, scale), values / scale, bound)[0]
    alpha, beta = exponents.T
    # The features are of N and D over their first values, so that all numbers have one size.
    a, b = linear[:, 1] * sizes[0] ** alpha, linear[:, 2] * lengths[0] ** beta
    return np.stack([linear[:, 0], a, alpha, b, beta], axis=1)


def _features(sizes: Array, lengths: Array, exponents: Array, scale: Array) -> Array:
    """Return the columns of E, A and B [R, n, 3] of exponents [R, 2], over the scale."""
    of_size = (sizes / sizes[0]) ** -exponents[:, :1]
    of_length = (lengths / lengths[0]) ** -exponents[:, 1:]
    columns = [np.broadcast_to(1 / scale, of_size.shape), of_size / scale, of_length / scale]
    return np.stack(columns, axis=2)


def why_unidentified(law: JointLaw, intervals: dict[str, Interval]) -> str:
    """Return why runs do not determine the parameters; "" where they do."""
    open_ended = [
        symbol
        for name, symbol in (("alpha", "α"), ("beta", "β"))
        if intervals[name].low <= SMALLEST * NEAR or intervals[name].high >= LARGEST / NEAR
    ]
    zero = [
        symbol
        for name, symbol in (("e", "E"), ("a", "A"), ("b", "B"))
        if getattr(law, name) == 0 or intervals[name].low <= 0
    ]
    parts = []
    if open_ended:
        where = f"the bound of the search, {SMALLEST} to {LARGEST:.0f}"
        parts.append(f"the interval of {' and '.join(open_ended)} reaches {where}")
    if zero:
        parts.append(f"the interval of {' and '.join(zero)} covers 0")
    return "; ".join(parts)
