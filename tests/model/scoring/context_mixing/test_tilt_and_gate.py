"""Lifts and tilts keep distributions; gates look at the prefix alone."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.scoring.context_mixing.gate import SETS_PER_LENGTH, gate_weight, weight_sets
from spike_lm.model.scoring.context_mixing.predictor import NO_MATCH
from spike_lm.model.scoring.context_mixing.tilt import mix_point_mass, tilt


@given(st.integers(1, 9), st.integers(0, 8) | st.just(NO_MATCH), st.floats(0, 1), st.floats(0, 20))
def test_distributions_stay_so(size, predicted, confidence, strength):
    predicted = predicted if predicted < size else NO_MATCH
    p = np.random.default_rng(size).dirichlet(np.ones(size))
    ids, predicted_ids = np.arange(size), np.array([predicted])
    confidences = np.array([confidence if predicted != NO_MATCH else 0.0])
    p_predicted = p[predicted_ids] if predicted != NO_MATCH else np.zeros(1)
    moved = (
        mix_point_mass(p, ids, predicted_ids, confidences),
        tilt(p, ids, predicted_ids, p_predicted, np.array([strength])),
    )
    for found in moved:
        assert abs(found.sum() - 1) < 1e-9
        if predicted == NO_MATCH:
            assert np.array_equal(found, p)
        else:
            assert found[predicted] >= p[predicted] - 1e-12


def test_the_gate_trusts_long_contexts_and_doubtful_networks():
    lengths, entropies = np.arange(9, dtype=np.uint32), np.full(9, 4.0)
    weights = gate_weight(lengths, entropies)
    assert weights[0] == 0 < weights[1]
    assert (np.diff(weights)[:6] > 0).all()
    assert weights.max() == 0.99
    doubts = gate_weight(np.full(5, 4, np.uint32), np.linspace(0, 9, 5))
    assert (np.diff(doubts) > 0).all()
    # As published: order 9, entropy 5 nats.
    expected = min(0.99, (0.05 + 0.9 / (1 + math.exp(-6))) * 2)
    assert gate_weight(np.array([8], np.uint32), np.array([5.0])).tolist() == [expected]


@given(st.integers(0, 8), st.floats(0, 20))
def test_sets_are_in_range(length, entropy):
    lengths = np.array([length], np.uint32)
    (chosen,) = weight_sets(lengths, np.array([entropy]), 1024)
    assert length * SETS_PER_LENGTH <= chosen < (length + 1) * SETS_PER_LENGTH
    assert weight_sets(lengths, None, 1024) == length * SETS_PER_LENGTH
