"""Last places of long contexts and learning weights against their plain definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model._counting import MatchModel, Mixer
from spike_lm.model.scoring.context_mixing.predictor import NO_MATCH
from spike_lm.model.scoring.context_mixing.reference import plain_matches, plain_mixture

ROWS = st.lists(st.integers(0, 2), max_size=60) | st.builds(
    lambda part, times: (part * times)[:90], st.lists(st.integers(0, 2), max_size=9), st.just(15)
)


@settings(deadline=None)
@given(ROWS, st.sets(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 90))
def test_hints_are_those_of_the_definition(row, lengths, cut):
    lengths = sorted(lengths)
    model = MatchModel(3, np.array(lengths, np.uint32))
    found = []
    for part in (row[:cut], row[cut:]):
        tokens, indices, confidences = model.predict(np.array(part, np.uint16), True)
        found += zip(tokens.tolist(), indices.tolist(), confidences.tolist(), strict=True)
    plain = [
        (NO_MATCH, NO_MATCH, 0.0) if token is None else (token, index, confidence)
        for token, index, confidence in plain_matches([*row, 0], lengths)
    ]
    assert found == plain[:-1]
    assert model.predict_next() == plain[-1]


def test_reading_without_learning_leaves_no_trace():
    ids = np.random.default_rng(1).integers(0, 2, 400).astype(np.uint32)
    one, other = (MatchModel(2, np.array([3, 8], np.uint32)) for _ in range(2))
    one.predict(ids, True)
    other.predict(ids, True)
    tokens, indices, _ = one.predict(ids[:50], False)
    assert (indices != NO_MATCH).all()
    assert set(tokens.tolist()) <= {0, 1}
    other.restart()
    for a, b in zip(one.predict(ids, True), other.predict(ids, True), strict=True):
        assert np.array_equal(a, b)


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 3), max_size=30),
    st.floats(0, 1),
    st.floats(0, 0.5),
    st.integers(0, 30),
)
def test_mixtures_are_those_of_the_definition(rows, slowest, share, cut):
    sets = [i % 2 for i in range(len(rows))]
    first = [0.5, 0.25, 0.25]
    mixer = Mixer(2, np.array(first), slowest, share)
    found = [
        mixer.score(
            np.array(rows[a:b]).reshape(-1, 3), np.array(sets[a:b], np.uint32), True
        ).tolist()
        for a, b in ((0, cut), (cut, max(cut, len(rows))))
    ]
    assert found[0] + found[1] == plain_mixture(
        rows, sets, first, min_rate=slowest, fixed_share=share
    )
    assert mixer.weights(0).sum() == pytest.approx(1)


def test_the_rate_of_one_is_bayes_and_slow_ones_find_the_best_mean():
    generator = np.random.default_rng(2)
    right = generator.random(4_000) < 0.7
    p = np.stack([np.where(right, 0.9, 0.1), np.where(right, 0.1, 0.9)], axis=1)
    sets = np.zeros(len(p), np.uint32)
    bayes, slow = (Mixer(1, np.full(2, 0.5), rate, 0.0) for rate in (1.0, 0.003))
    evidence = np.cumsum(np.log(p), axis=0)
    expected = np.logaddexp(*(evidence[-1] - np.log(2)))
    assert np.log(bayes.score(p, sets, True)).sum() == pytest.approx(expected)
    # The mean that gives 0.7 to what comes with 0.7 is better than either expert.
    assert slow.score(p, sets, True)[2_000:].mean() > 0.55
    assert slow.weights(0)[0] == pytest.approx(0.75, abs=0.08)


def test_wrong_input_is_refused():
    good = np.zeros(1, np.uint32)
    mixer = Mixer(1, np.ones(1), 0.1, 0.0)
    for p, sets in (
        (np.ones((1, 2)), good),
        (np.ones((2, 1)), good),
        (np.ones((1, 1)), good + 1),
        (np.full((1, 1), np.nan), good),
        (np.full((1, 1), -0.1), good),
    ):
        with pytest.raises(ValueError):
            mixer.score(p, sets, True)
    with pytest.raises(ValueError):
        mixer.weights(1)
    with pytest.raises(ValueError):
        MatchModel(3, np.array([4, 4], np.uint32))
    with pytest.raises(ValueError):
        MatchModel(3, np.array([4], np.uint32)).predict(np.array([3], np.uint16), True)
