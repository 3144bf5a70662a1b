"""Counts as a table of an artifact: there and back, and hostile bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model.scoring.context_mixing.ngram_counts import PrunedNgramCounts
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
from spike_lm.model.scoring.context_mixing.ngram_table import counts_from_bytes, counts_to_bytes

VOCAB = 9
ROWS = st.lists(st.integers(0, VOCAB - 1), max_size=150)


def table(row, min_count=1):
    counts = NgramModel(VOCAB, max_context=4)
    counts.learn(np.array(row, np.uint32))
    return counts.pruned(min_count=min_count)


@settings(deadline=None)
@given(ROWS, st.integers(1, 3))
def test_counts_come_back(row, min_count):
    counts = table(row, min_count)
    data = counts_to_bytes(counts)
    again = counts_from_bytes(data)
    for name in PrunedNgramCounts.__slots__:
        assert np.array_equal(getattr(again, name), getattr(counts, name)), name
    assert counts_to_bytes(again) == data


def test_damage_is_a_value_error_or_gives_distributions():
    data = counts_to_bytes(table([1, 2, 3, 1, 2, 4, 1, 2, 3, 3, 1, 2, 8, 0] * 5))
    generator = np.random.default_rng(1)
    damaged = [data[:cut] for cut in range(0, len(data), 5)]
    for _ in range(400):
        wrong = bytearray(data)
        for _ in range(generator.integers(1, 4)):
            wrong[generator.integers(len(wrong))] = generator.integers(256)
        damaged.append(bytes(wrong))
    opened = 0
    for wrong in damaged:
        try:
            counts = NgramModel(VOCAB, max_context=4, initial=counts_from_bytes(wrong))
        except ValueError:
            continue
        opened += 1
        counts.learn(np.array([1, 2], np.uint32))
        every = counts.distributions(np.full(VOCAB, 1 / VOCAB))
        assert np.allclose(every.sum(axis=1), 1)
    assert opened < len(damaged)
    with pytest.raises(ValueError, match="format 7"):
        counts_from_bytes(b"\x07" + data[1:])
