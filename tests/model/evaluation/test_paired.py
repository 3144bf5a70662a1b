"""Paired differences: against definitions, and against data whose answer is known."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from spike_lm.model.evaluation.paired import mcnemar_exact, paired_bootstrap


@pytest.mark.parametrize(
    ("one", "other"), [(0, 0), (1, 0), (3, 9), (9, 3), (5, 5), (40, 60), (900, 1000)]
)
def test_mcnemar_is_the_binomial_test(one, other):
    n, k = one + other, min(one, other)
    exact = min(Fraction(1), 2 * Fraction(sum(comb(n, i) for i in range(k + 1)), 2**n))
    assert mcnemar_exact(one, other) == pytest.approx(float(exact), rel=1e-9)


def test_the_interval_holds_the_true_difference_about_as_often_as_it_says():
    rng, held, repeats = np.random.default_rng(0), {}, 200
    for _ in range(repeats):
        sizes = rng.integers(100, 1000, 60).astype(float)
        shared = rng.normal(2, 0.5, 60)
        first = (shared + rng.normal(0, 0.05, 60)) * sizes
        second = (shared - 0.03 + rng.normal(0, 0.05, 60)) * sizes
        found = paired_bootstrap(first, second, sizes, 400)
        held["ratios"] = held.get("ratios", 0) + (found.low <= -0.03 <= found.high)
        right = rng.random((2, 300)) < np.array([[0.6], [0.5]])
        found = paired_bootstrap(*right.astype(float), resamples=400)
        held["means"] = held.get("means", 0) + (found.low <= -0.1 <= found.high)
    assert all(0.88 < count / repeats < 0.99 for count in held.values()), held


def test_counts_of_values_resample_as_items_do():
    right = (np.random.default_rng(1).random((2, 500)) < 0.5).astype(float)
    by_counts, by_items = paired_bootstrap(*right), paired_bootstrap(*right, np.ones(500))
    assert by_counts.difference == by_items.difference
    assert (by_counts.low, by_counts.high) == pytest.approx((by_items.low, by_items.high), abs=4e-3)


def test_equal_models_cannot_be_distinguished_and_clear_differences_can():
    rng = np.random.default_rng(2)
    values, sizes = rng.random(50) * 100, np.full(50, 100.0)
    assert not paired_bootstrap(values, values, sizes).distinguishable
    clear = paired_bootstrap(values, values + 1, sizes)
    assert clear.distinguishable
    assert clear.difference == pytest.approx(0.01)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_items_have_no_interval(count):
    found = paired_bootstrap(np.ones(count), np.zeros(count))
    assert (found.low, found.high, found.distinguishable) == (None, None, False)
