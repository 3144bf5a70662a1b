"""Tilting: moves probability to one expected token and keeps a distribution normalised.

All functions are elementwise: `ids` are targets [n], or all ids [V] at one place; values of the
place are [n] or a single number. A predicted id that is no id (2³² − 1) changes nothing.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Probabilities: TypeAlias = NDArray[np.float64]


def mix_point_mass(
    p: Probabilities,
    ids: NDArray[np.integer],
    predicted_ids: NDArray[np.integer],
    confidences: Probabilities,
) -> Probabilities:
    """Return (1 − confidence) · p, plus the confidence for the predicted token.

    Args:
        p: [n] or [V], probabilities of `ids`.
        ids: targets [n], or all ids [V] at one place.
        predicted_ids: [n] or one, of the match model.
        confidences: [n] or one.

    >>> mix_point_mass(np.array([0.5, 0.3, 0.2]), np.arange(3), np.array(1), np.array(0.5)).tolist()
    [0.25, 0.65, 0.1]
    """
    return np.where(
        ids == predicted_ids, confidences + (1 - confidences) * p, (1 - confidences) * p
    )


def tilt(
    p: Probabilities,
    ids: NDArray[np.integer],
    predicted_ids: NDArray[np.integer],
    p_predicted: Probabilities,
    strengths: Probabilities,
) -> Probabilities:
    """Return p with the odds of the predicted token times e^strength.

    p(w) · e^(strength · [w is predicted]) / Z, where Z = 1 + p(predicted) · (e^strength − 1) needs
    only the probability of the predicted token, `p_predicted`; 0 without a prediction.

    Args:
        p: [n] or [V], probabilities of `ids`.
        ids: targets [n], or all ids [V] at one place.
        predicted_ids: [n] or one, of the match model.
        p_predicted: [n] or one, their probabilities.
        strengths: [n] or one.

    >>> half = np.array([0.5, 0.5])
    >>> tilt(half, np.arange(2), np.array(1), half[1], np.log(3)).round(9).tolist()
    [0.25, 0.75]
    """
    more = np.expm1(strengths)
    return np.where(ids == predicted_ids, p * (1 + more), p) / (1 + p_predicted * more)
