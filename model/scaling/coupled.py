"""Coupled scaling law of short runs: L(N, D)² = (A·N^-α)² + (B·D^-β)².

A small model's price shows only once data are no longer the bottleneck, so the larger term counts
for more than in a sum. Kaplan et al. 2020 (arXiv:2001.08361, eq. 1.5) join the terms in the same
way with another power, 1/β. There is no E: short runs do not identify it, and its share of the
loss would not fall with more tokens. The law predicts a few times farther, not to the limit.
"""

from dataclasses import dataclass, field

import numpy as np

from .bootstrap import interval_of
from .joint import explained
from .law import Interval, Number
from .nonnegative import Array
from .pair_search import check_runs, fit_pairs

NAMES = ("a", "alpha", "b", "beta")


@dataclass(frozen=True, slots=True)
class CoupledLaw:
    """Coupled scaling law: L(N, D)² = (A·N^-α)² + (B·D^-β)², nats per token.

    Attributes:
        a: A, coefficient of the parameter term.
        alpha: α, its exponent.
        b: B, coefficient of the data term.
        beta: β, its exponent.
    """

    a: float
    alpha: float
    b: float
    beta: float

    def loss(self, parameters: Number, tokens: Number) -> Number:
        """Return the loss of N parameters after D tokens.

        >>> CoupledLaw(3.0, 0.0, 4.0, 0.0).loss(1e6, 1e9)
        5.0
        """
        of_size = self.a * parameters**-self.alpha
        of_data = self.b * tokens**-self.beta
        loss: Number = (of_size * of_size + of_data * of_data) ** 0.5
        return loss


@dataclass(frozen=True, slots=True, kw_only=True)
class CoupledFit:
    """Fitted coupled law.

    Attributes:
        law: the fit; nats per token.
        intervals: 95 % intervals of A, α, B and β, by bootstrap of residuals over runs.
        r2: share of the losses' variance that the fit explains.
        noise: standard deviation of the losses' relative residuals.
        residuals: relative residual of each loss, [n].
        replicates: A, α, B and β of each bootstrap sample, [R, 4].
    """

    law: CoupledLaw
    intervals: dict[str, Interval]
    r2: float
    noise: float
    residuals: Array = field(repr=False, compare=False)
    replicates: Array = field(repr=False, compare=False)

    def predictions(self, parameters: float, tokens: float) -> Array:
        """Return the loss of N and D by each bootstrap sample's law, [R]."""
        a, alpha, b, beta = self.replicates.T
        found: Array = np.hypot(a * parameters**-alpha, b * tokens**-beta)
        return found


def fit_coupled_scaling(
    parameters: Array,
    tokens: Array,
    losses: Array,
    *,
    replicates: int = 300,
    seed: int = 0,
    origin: str = "runs",
) -> CoupledFit:
    """Fit the coupled law to the final losses of runs.

    The squared loss is a sum whose coefficients are linear, as in the joint fit.

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
    found = fit_pairs(sizes, lengths, values**2, floor=False, replicates=replicates, seed=seed)
    rows = of_squares(found.replicates)
    law = CoupledLaw(*of_squares(found.row[None])[0].tolist())
    columns = zip(NAMES, rows.T, strict=True)
    fitted = law.loss(sizes, lengths)
    return CoupledFit(
        law=law,
        intervals={name: interval_of(column) for name, column in columns},
        r2=explained(values, fitted),
        # Relative errors of a square are twice those of its root.
        noise=found.noise / 2,
        residuals=values / fitted - 1,
        replicates=rows,
    )


def of_squares(rows: Array) -> Array:
    """Return A, α, B and β [R, 4] of the fits [R, 5] of squared losses."""
    _, a, alpha, b, beta = rows.T
    return np.stack([np.sqrt(a), alpha / 2, np.sqrt(b), beta / 2], axis=1)
