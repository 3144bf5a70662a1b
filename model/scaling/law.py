"""Scaling laws of Hoffmann et al. 2022 (Chinchilla, arXiv:2203.15556): formulas, no fitting.

L(N, D) = E + A·N^-α + B·D^-β in nats per token, for N parameters and D training tokens. Of one
model size, E + A·N^-α is a constant: L(D) = E + B·D^-β.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Interval:
    """Confidence interval."""

    low: float
    high: float

    def covers(self, value: float) -> bool:
        """Return whether a value is in the interval.

        >>> Interval(0.1, 0.3).covers(0.2)
        True
        """
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class DataLaw:
    """Scaling law of one model size: L(D) = E + B·D^-β, nats per token.

    Attributes:
        e: E, irreducible loss and the loss that this model size adds.
        b: B, coefficient of the data term.
        beta: β, exponent of the data term.
    """

    e: float
    b: float
    beta: float

    def loss(self, tokens: Number) -> Number:
        """Return the loss after D tokens.

        >>> round(DataLaw(2.611, 77_715, 0.537).loss(20e9), 2)
        2.84
        """
        return self.e + self.data_term(tokens)

    def data_term(self, tokens: Number) -> Number:
        """Return B·D^-β, the loss that endless data would remove."""
        term: Number = self.b * tokens**-self.beta
        return term

    def gain(self, tokens: float, more: float) -> float:
        """Return the nats by which `more` tokens lower the loss."""
        return self.data_term(tokens) - self.data_term(tokens + more)

    def knee_by_derivative(self, least: float, more: float) -> float:
        """Return the tokens D where -L'(D) · `more` = `least` nats, in closed form."""
        return float((self.beta * self.b * more / least) ** (1 / (1 + self.beta)))

    def knee_by_difference(self, least: float, more: float) -> float:
        """Return the tokens D where L(D) - L(D + `more`) = `least` nats; 0 where none gain as much.

        The gain falls with D, and the derivative bounds it from above, so bisection finds it.
        """
        low, high = 0.0, self.knee_by_derivative(least, more)
        for _ in range(200):
            middle = (low + high) / 2
            if middle <= 0 or self.gain(middle, more) < least:
                high = middle
            else:
                low = middle
        return (low + high) / 2


@dataclass(frozen=True, slots=True)
class JointLaw:
    """Scaling law of parameters and data: L(N, D) = E + A·N^-α + B·D^-β, nats per token.

    Attributes:
        e: E, irreducible loss.
        a: A, coefficient of the parameter term.
        alpha: α, its exponent.
        b: B, coefficient of the data term.
        beta: β, its exponent.
    """

    e: float
    a: float
    alpha: float
    b: float
    beta: float

    def loss(self, parameters: Number, tokens: Number) -> Number:
        """Return the loss of N parameters after D tokens."""
        loss: Number = self.e + self.parameter_term(parameters) + self.b * tokens**-self.beta
        return loss

    def parameter_term(self, parameters: Number) -> Number:
        """Return A·N^-α, the loss that endless parameters would remove."""
        term: Number = self.a * parameters**-self.alpha
        return term


CHINCHILLA = JointLaw(1.69, 406.4, 0.34, 410.7, 0.28)
TOKENS_PER_PARAMETER = 20.0


def optimal_tokens(parameters: float, law: JointLaw, data: DataLaw | None = None) -> float:
    """Return the compute-optimal tokens of N parameters, for a compute of 6·N·D.

    The optimum is where α·A·N^-α = β·B·D^-β. With `data`, the right side is of that fit and the
    left one of `law`: a mix of two fits, which is no optimum of either.

    Args:
        parameters: N.
        law: of the parameter term, and of the data term without `data`.
        data: another fit's data term.

    >>> round(optimal_tokens(85.7e6, CHINCHILLA) / 1e9, 1)
    2.2
    """
    side = data or law
    slope = law.alpha * law.parameter_term(parameters)
    return float((side.beta * side.b / slope) ** (1 / side.beta))
