"""Exact context counts against the plain definition, and what makes their scores honest."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model._counting import NgramCounts
from spike_lm.model.scoring.context_mixing.kneser_ney import START
from spike_lm.model.scoring.context_mixing.ngram_model import BLOCK, NgramModel
from spike_lm.model.scoring.context_mixing.reference import PlainCounts

VOCAB = 5
ROWS = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=120) | st.builds(
    lambda part, times: (part * times)[:150],
    st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=7),
    st.integers(1, 40),
)


def discounts_of(max_context, seed):
    generator = np.random.default_rng(seed)
    return generator.random((max_context + 1, 4)) * [1, 2, 3, 4]


@settings(deadline=None)
@given(ROWS, st.integers(0, 6), st.booleans(), st.integers(0, 9), st.integers(0, 3))
def test_scores_are_those_of_the_definition(row, max_context, continuation, seed, min_context):
    discounts = discounts_of(max_context, seed)
    ids, base = np.array(row, np.uint16), np.random.default_rng(seed).random(len(row))
    counts = NgramCounts(VOCAB, max_context, continuation)
    other = np.random.default_rng(seed + 1).random(len(row))
    p, over, lengths, totals, distinct = counts.score(
        ids, base, other, discounts, min_context=min_context, learn=True
    )
    plain = PlainCounts(max_context, continuation)
    for i, token in enumerate(row):
        assert p[i].tolist() == plain.probabilities(token, base[i], discounts, min_context)
        assert over[i] == plain.probabilities(token, other[i], discounts, 1)[-1]
        assert (lengths[i], totals[i], distinct[i]) == plain.longest_context()
        plain.learn(token)
    assert counts.longest_context() == plain.longest_context()
    every = counts.distribution(np.full(VOCAB, 1 / VOCAB), discounts, min_context)
    for token in range(VOCAB):
        expected = plain.probabilities(token, 1 / VOCAB, discounts, min_context)
        assert every[:, token].tolist() == expected


@pytest.mark.parametrize("continuation", [True, False])
def test_tables_that_grow_change_nothing(continuation):
    generator = np.random.default_rng(5)
    row = np.tile(generator.integers(0, 300, 700), 4)
    row = np.where(generator.random(len(row)) < 0.1, generator.integers(0, 300, len(row)), row)
    discounts = discounts_of(6, 5)
    counts = NgramCounts(300, 6, continuation)
    base, none = np.full(len(row), 1 / 300), np.zeros(0)
    p = counts.score(row.astype(np.uint32), base, none, discounts, min_context=0, learn=True)[0]
    assert counts.ngrams > 4_000  # the first table has 1,024 places
    plain = PlainCounts(6, continuation)
    for token, scores in zip(row.tolist(), p, strict=True):
        assert scores.tolist() == plain.probabilities(token, 1 / 300, discounts)
        plain.learn(token)


@settings(deadline=None)
@given(ROWS, st.integers(0, 5))
def test_counts_of_counts_and_continuations_are_true(row, max_context):
    counts = NgramCounts(VOCAB, max_context, True)
    counts.learn(np.array(row, np.uint32))
    ngrams = {
        k: [tuple(row[i : i + k + 1]) for i in range(len(row) - k)] for k in range(max_context + 1)
    }
    for k, found in ngrams.items():
        # An n-gram at the row's beginning stands behind nothing, which is one more kind of left.
        lefts = {s: set() for s in found}
        for i, ngram in enumerate(found):
            lefts[ngram].add(row[i - 1] if i and k < max_context else ("start", i))
        sizes = [len(left) for left in lefts.values()]
        expected = [sum(size == n for size in sizes) for n in (1, 2, 3, 4)]
        assert counts.counts_of_counts()[4 * k : 4 * k + 4].tolist() == expected


@settings(deadline=None)
@given(ROWS, ROWS, st.data(), st.booleans())
def test_calls_do_not_matter_nor_does_the_future(row, other, data, continuation):
    cut = data.draw(st.integers(0, len(row)))
    whole, parts, changed = (
        NgramModel(VOCAB, max_context=4, continuation=continuation) for _ in range(3)
    )
    base = np.full(len(row), 1 / VOCAB)
    scores = whole.score(np.array(row, np.uint16), base).probabilities
    first = parts.score(np.array(row[:cut]), base[:cut]).probabilities
    second = parts.score(np.array(row[cut:]), base[cut:]).probabilities
    assert np.array_equal(np.concatenate([first, second]), scores)
    twisted = np.array(row[:cut] + other)
    found = changed.score(twisted, np.full(len(twisted), 1 / VOCAB)).probabilities
    assert np.array_equal(found[:cut], scores[:cut])


def test_each_prefix_has_a_distribution():
    generator = np.random.default_rng(1)
    text = np.tile(generator.integers(0, 50, 40), 40)
    noise = generator.integers(0, 50, len(text))
    ids = np.where(generator.random(len(text)) < 0.2, noise, text).astype(np.uint32)
    base = generator.dirichlet(np.ones(50))
    model = NgramModel(50)
    for token in ids:
        every = model.distributions(base)
        assert abs(every.sum(axis=1) - 1).max() < 1e-12
        assert every.min() > 0
        scores = model.score(np.array([token]), base[[token]])
        assert np.array_equal(scores.probabilities[0], every[:, token])


@pytest.mark.parametrize("continuation", [True, False])
def test_random_tokens_cannot_be_compressed(continuation):
    ids = np.random.default_rng(2).integers(0, 1024, 200_000).astype(np.uint16)
    model = NgramModel(1024, continuation=continuation)
    p = model.score(ids, np.full(len(ids), 1 / 1024)).probabilities
    assert (-np.log2(p).mean(axis=0) >= 10 - 0.001).all()


def test_a_scored_token_is_not_learned_before():
    model = NgramModel(4)
    base = np.full(1, 0.25)
    assert model.score(np.array([2]), base).probabilities.tolist() == [[0.25] * 9]
    assert (model.score(np.array([2]), base).probabilities > 0.25).any()


@settings(deadline=None)
@given(ROWS, ROWS, ROWS, st.booleans())
def test_what_is_read_without_learning_leaves_no_trace(row, read, more, continuation):
    models = [NgramModel(VOCAB, max_context=4, continuation=continuation) for _ in range(2)]
    for model in models:
        model.learn(np.array(row))
    models[0].score(np.array(read), np.full(len(read), 1 / VOCAB), learn=False)
    models[1].restart()
    scores = [model.score(np.array(more), np.full(len(more), 1 / VOCAB)) for model in models]
    assert np.array_equal(scores[0].probabilities, scores[1].probabilities)


@settings(deadline=None)
@given(ROWS, ROWS)
def test_reading_without_learning_uses_the_counts_of_before(row, read):
    discounts = discounts_of(4, 1)
    model, plain = NgramModel(VOCAB, max_context=4, discounts=discounts), PlainCounts(4, True)
    model.learn(np.array(row))
    for token in row:
        plain.learn(token)
    base = np.full(len(read), 1 / VOCAB)
    found = model.score(np.array(read), base, learn=False).probabilities
    for token, scores in zip(read, found, strict=True):
        assert scores.tolist() == plain.probabilities(token, 1 / VOCAB, discounts)
        plain.row.append(token)


def test_discounts_are_estimated_at_the_same_places():
    ids = np.random.default_rng(3).zipf(1.3, 2 * BLOCK + 77).clip(max=299)
    base = np.full(len(ids), 1 / 300)
    whole, parts = NgramModel(300, max_context=2), NgramModel(300, max_context=2)
    expected = whole.score(ids, base)
    found = [
        parts.score(ids[a:b], base[a:b]).probabilities
        for a, b in [(0, 5), (5, BLOCK + 9), (BLOCK + 9, len(ids))]
    ]
    assert np.array_equal(np.concatenate(found), expected.probabilities)
    assert not np.array_equal(whole.discounts, np.tile(START, (3, 1)))


def test_wrong_input_is_refused():
    model = NgramModel(4, max_context=2)
    for ids in ([4], [-1], [1 << 32]):
        with pytest.raises(ValueError):
            model.score(np.array(ids), np.ones(1))
    with pytest.raises(ValueError, match="base"):
        model.score(np.array([1, 2]), np.ones(1))
    with pytest.raises(ValueError):
        model.distributions(np.ones(3))
    for row in ([1.1, 0, 0, 0], [0, 2.1, 0, 0], [0, 0, 3.1, 0], [0, 0, 0, -1], [math.nan, 0, 0, 0]):
        wrong = NgramModel(4, max_context=0, discounts=np.array([row]))
        with pytest.raises(ValueError, match="discount"):
            wrong.score(np.array([1]), np.ones(1))
    for size, max_context in ((0, 2), (4, 65)):
        with pytest.raises(ValueError):
            NgramModel(size, max_context=max_context)
