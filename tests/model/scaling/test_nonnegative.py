"""Small least squares: against the definition, subset by subset and by brute force."""

import numpy as np
import pytest

from spike_lm.model.scaling.nonnegative import huber, solve_huber, solve_least_squares

RANDOM = np.random.default_rng(0)


def cost(features, values, weights, coefficients):
    return (weights * (values - features @ coefficients) ** 2).sum()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("columns", [2, 3])
def test_no_admissible_neighbour_is_better(seed, columns):
    """Karush-Kuhn-Tucker: the slope is 0 for positive coefficients and not negative for zeros."""
    random = np.random.default_rng(seed)
    features = random.random((1, 15, columns))
    values, weights = random.standard_normal((1, 15)), random.random((1, 15))
    found = solve_least_squares(features, values, weights)[0]
    slope = features[0].T @ (weights[0] * (features[0] @ found - values[0]))
    assert (found >= 0).all()
    assert np.allclose(slope[found > 0], 0, atol=1e-9)
    assert (slope[found == 0] >= -1e-9).all()


def test_shared_features_give_the_results_of_single_problems():
    features = RANDOM.random((1, 12, 3))
    values, weights = RANDOM.random((5, 12)), RANDOM.random((5, 12))
    together = solve_least_squares(features, values, weights)
    single = solve_least_squares(np.repeat(features, 5, axis=0), values, weights)
    assert together == pytest.approx(single, abs=1e-9)


def test_huber_has_the_least_loss_of_a_fine_grid():
    features = np.stack([np.ones(9), np.arange(1.0, 10)], axis=1)[None]
    values = np.array([[1, 2, 3, 4, 25, 6, 7, 8, 9.0]])
    (found,), (least,) = solve_huber(features, values, 0.1)
    for step in RANDOM.standard_normal((200, 2)) * 0.02:
        near = np.maximum(found + step, 0)
        assert huber(values[0] - features[0] @ near, 0.1) >= least - 1e-4 * least
    assert found == pytest.approx([0, 1], abs=0.05)
