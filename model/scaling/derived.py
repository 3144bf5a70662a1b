"""Quantities derived from a fitted L(D): data term, knee, compute-optimal tokens."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .bootstrap import interval_of
from .law import CHINCHILLA, TOKENS_PER_PARAMETER, DataLaw, Interval, optimal_tokens
from .nonnegative import Array

# Knee of the seeds' cards: 10⁹ more tokens gain less than 0.005 nats.
KNEE_TOKENS, KNEE_NATS = 1e9, 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimalTokens:
    """Compute-optimal tokens of N parameters, by three rules.

    Attributes:
        mixed: α·A·N^-α with Chinchilla's constants = β·B·D^-β of the fitted curve. The seeds' way;
            it mixes two fits.
        chinchilla: both sides with Chinchilla's constants.
        per_parameter: 20 tokens a parameter.
        capacity_term: Chinchilla's A·N^-α, nats per token.
        data_term: Chinchilla's B·D^-β at the end of the curve, nats per token.
    """

    mixed: float
    chinchilla: float
    per_parameter: float
    capacity_term: float
    data_term: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Quantities derived from a law of one model size; in nats per token, and tokens.

    Attributes:
        end_tokens: D at the end of the curve.
        end_loss: L(D).
        data_term: B·D^-β.
        doubling_gain: L(D) - L(2·D).
        knee_by_derivative: D where -L'(D) · 10⁹ = 0.005, in closed form.
        knee_by_difference: D where L(D) - L(D + 10⁹) = 0.005.
        intervals: of the last four, by name; empty without replicates.
        optimal: compute-optimal tokens; None where the parameters are unknown.
    """

    end_tokens: float
    end_loss: float
    data_term: float
    doubling_gain: float
    knee_by_derivative: float
    knee_by_difference: float
    intervals: dict[str, Interval]
    optimal: OptimalTokens | None


def optimal_by_rules(law: DataLaw, parameters: float, end_tokens: float) -> OptimalTokens:
    """Return the compute-optimal tokens of N parameters by three rules."""
    return OptimalTokens(
        mixed=optimal_tokens(parameters, CHINCHILLA, law),
        chinchilla=optimal_tokens(parameters, CHINCHILLA),
        per_parameter=TOKENS_PER_PARAMETER * parameters,
        capacity_term=CHINCHILLA.parameter_term(parameters),
        data_term=CHINCHILLA.b * end_tokens**-CHINCHILLA.beta,
    )


def derived_quantities(
    law: DataLaw,
    end_tokens: float,
    *,
    parameters: float | None = None,
    knee_tokens: float = KNEE_TOKENS,
    knee_nats: float = KNEE_NATS,
    replicates: Array | None = None,
) -> Derived:
    """Return the quantities that a law of one model size gives at the end of its curve.

    Args:
        law: fitted, or published.
        end_tokens: D at the end.
        parameters: N; None: no compute-optimal tokens.
        knee_tokens: more tokens of the knee.
        knee_nats: their least gain.
        replicates: E, B and β of bootstrap samples, [R, 3], for intervals.
    """
    rules: dict[str, Callable[[DataLaw], float]] = {
        "data_term": lambda one: one.data_term(end_tokens),
        "doubling_gain": lambda one: one.gain(end_tokens, end_tokens),
        "knee_by_derivative": lambda one: one.knee_by_derivative(knee_nats, knee_tokens),
        "knee_by_difference": lambda one: one.knee_by_difference(knee_nats, knee_tokens),
    }
    laws = [DataLaw(*row) for row in replicates.tolist()] if replicates is not None else []
    intervals = (
        {name: interval_of(np.array([rule(one) for one in laws])) for name, rule in rules.items()}
        if laws
        else {}
    )
    return Derived(
        end_tokens=end_tokens,
        end_loss=law.loss(end_tokens),
        **{name: rule(law) for name, rule in rules.items()},
        intervals=intervals,
        optimal=optimal_by_rules(law, parameters, end_tokens) if parameters else None,
    )
