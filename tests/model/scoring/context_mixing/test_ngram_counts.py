"""Stored counts: what is kept, that it goes on as it was, and hostile arrays."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model.scoring.context_mixing.ngram_counts import PrunedNgramCounts
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel

VOCAB = 6
ROWS = st.lists(st.integers(0, VOCAB - 1), max_size=150)


def grown(row, **settings):
    model = NgramModel(VOCAB, max_context=4, **settings)
    model.learn(np.array(row, np.uint32))
    return model


def spelt(pruned):
    """Return the n-grams of the tables as a dictionary of counts."""
    parents, tokens, counts, _ = pruned.ngrams()
    names = [()]
    for parent, token in zip(parents, tokens, strict=True):
        names.append((*names[parent], int(token)))
    return dict(zip(names[1:], counts.tolist(), strict=True))


@settings(deadline=None)
@given(ROWS, st.integers(2, 4), st.integers(0, 5))
def test_kept_are_the_ngrams_that_count_enough(row, min_count, max_context):
    pruned = grown(row, continuation=False).pruned(min_count=min_count, max_context=max_context)
    ngrams = Counter(
        tuple(row[i : i + n])
        for n in range(1, min(max_context, 4) + 2)
        for i in range(len(row) - n + 1)
    )
    assert spelt(pruned) == {s: c for s, c in ngrams.items() if c >= min_count}
    assert list(spelt(pruned)) == sorted(spelt(pruned), key=lambda s: (len(s), s))


@settings(deadline=None)
@given(ROWS, st.integers(1, 3), st.booleans())
def test_tables_survive_being_taken_over(row, min_count, continuation):
    pruned = grown(row, continuation=continuation).pruned(min_count=min_count)
    again = NgramModel(VOCAB, max_context=4, continuation=continuation, initial=pruned)
    kept = again.pruned(min_count=1)
    for name in PrunedNgramCounts.__slots__:
        assert np.array_equal(getattr(kept, name), getattr(pruned, name)), name


@settings(deadline=None)
@given(ROWS, ROWS, st.integers(1, 3), st.booleans())
def test_pruned_counts_still_give_distributions(row, more, min_count, continuation):
    pruned = grown(row, continuation=continuation).pruned(min_count=min_count)
    model = NgramModel(VOCAB, max_context=4, continuation=continuation, initial=pruned)
    base = np.full(VOCAB, 1 / VOCAB)
    for token in more:
        every = model.distributions(base)
        assert abs(every.sum(axis=1) - 1).max() < 1e-12
        scores = model.score(np.array([token]), base[:1])
        assert np.array_equal(scores.probabilities[0], every[:, token])


@settings(deadline=None)
@given(ROWS, ROWS)
def test_what_is_pruned_stays_with_the_base(row, read):
    """Counts of 2 and more, over the base, give what the definition gives without the rest."""
    discounts = np.tile([1.0, 0.7, 1.1, 0.0], (5, 1))
    whole = grown(row, continuation=False, discounts=discounts)
    pruned = whole.pruned(min_count=2)
    pruned = NgramModel(
        VOCAB, max_context=4, discounts=discounts, initial=pruned, continuation=False
    )
    base = np.full(len(read), 1 / VOCAB)
    read = np.array(read, np.uint32)
    whole.restart()
    # With a whole count taken of what was seen once, such n-grams give nothing of their own.
    expected = whole.score(read, base, learn=False).probabilities
    found = pruned.score(read, base, learn=False).probabilities
    assert np.allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", VOCAB),
        ("tokens", 1),  # there is a brother of this name
        ("counts", 0),
        ("counts", 1 << 31),
        ("pruned", (1 << 32) - 1),
        ("children", 9),
    ],
)
def test_hostile_tables_are_refused(name, value):
    pruned = grown([1, 2, 3, 1, 2, 3, 1, 2, 4, 5, 0]).pruned(min_count=1)
    arrays = {slot: getattr(pruned, slot).copy() for slot in PrunedNgramCounts.__slots__}
    arrays[name][0] = value
    with pytest.raises(ValueError):
        NgramModel(VOCAB, max_context=4, initial=PrunedNgramCounts(**arrays))


def test_children_before_parents_and_wrong_lengths_are_refused():
    pruned = grown([1, 2, 3, 1, 2, 3]).pruned(min_count=1)
    backwards = PrunedNgramCounts(
        pruned.children[::-1].copy(), pruned.tokens, pruned.counts, pruned.pruned
    )
    short = PrunedNgramCounts(pruned.children, pruned.tokens[1:], pruned.counts, pruned.pruned)
    for wrong in (backwards, short):
        with pytest.raises(ValueError):
            NgramModel(VOCAB, max_context=4, initial=wrong)
    with pytest.raises(ValueError, match="long"):
        NgramModel(VOCAB, max_context=1, initial=pruned)
