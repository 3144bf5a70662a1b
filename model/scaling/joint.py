"""Joint fit of L(N, D) = E + A·N^-α + B·D^-β over runs, with intervals.

The loss is Huber's on relative residuals, as in `fit.py`. One number of each run is fitted, its
final loss: losses within a run precede the decay of its learning rate and are of another law.
"""

from dataclasses import dataclass, field

import numpy as np

from .bootstrap import interval_of
from .law import Interval, JointLaw
from .line_search import LARGEST, SMALLEST
from .nonnegative import Array
from .pair_search import check_runs, fit_pairs

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
    found = fit_pairs(sizes, lengths, values, floor=True, replicates=replicates, seed=seed)
    columns = zip(NAMES, found.replicates.T, strict=True)
    intervals = {name: interval_of(column) for name, column in columns}
    law = JointLaw(*found.row.tolist())
    return JointFit(
        law=law,
        intervals=intervals,
        r2=explained(values, found.fitted),
        runs=len(values),
        noise=found.noise,
        unidentified=why_unidentified(law, intervals),
        residuals=found.residuals,
        replicates=found.replicates,
    )


def explained(values: Array, fitted: Array) -> float:
    """Return R², the share of the variance of values [n] that fitted ones [n] explain."""
    total = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - fitted) ** 2).sum()) / total if total else 0.0


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
