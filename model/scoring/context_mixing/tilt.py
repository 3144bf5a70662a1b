"""Tilting: moves probability to one expected token and keeps a distribution normalised.

All functions are elementwise: `ids` are targets [n], or all ids [V] at one place; values of the
place are [n] or a single number. `hints` that are no id (2³² − 1) change nothing.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Probabilities: TypeAlias = NDArray[np.float64]


def mix_point_mass(
    p: Probabilities, ids: NDArray[np.integer], hints: NDArray[np.integer], trusts: Probabilities
) -> Probabilities:
    """Return (1 − trust) · p, and the trust itself for the hinted token.

    >>> mix_point_mass(np.array([0.5, 0.3, 0.2]), np.arange(3), np.array(1), np.array(0.5)).tolist()
    [0.25, 0.65, 0.1]
    """
    return np.where(ids == hints, trusts + (1 - trusts) * p, (1 - trusts) * p)


def tilt(
    p: Probabilities,
    ids: NDArray[np.integer],
    hints: NDArray[np.integer],
    p_hints: Probabilities,
    strengths: Probabilities,
) -> Probabilities:
    """Return p with the hinted token's odds times e^strength: p(w) · e^(strength · [w is it]) / Z.

    Z = 1 + p(hint) · (e^strength − 1) needs only the hinted token's probability, `p_hints`, 0
    without a hint.

    >>> half = np.array([0.5, 0.5])
    >>> tilt(half, np.arange(2), np.array(1), half[1], np.log(3)).round(9).tolist()
    [0.25, 0.75]
    """
    more = np.expm1(strengths)
    return np.where(ids == hints, p * (1 + more), p) / (1 + p_hints * more)
