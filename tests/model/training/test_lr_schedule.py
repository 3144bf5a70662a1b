import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.config.schema import ScheduleConfig
from spike_lm.model.training.lr_schedule import lr_multiplier, share_of_run


def falling(**changes):
    keys = {"warmup_fraction": 0.0, "decay_fraction": 1.0, "min_lr_ratio": 0.0}
    return ScheduleConfig(**(keys | changes))


def test_rise_stay_fall():
    schedule = ScheduleConfig(warmup_fraction=0.2, decay_fraction=0.5, min_lr_ratio=0.0)
    factors = [lr_multiplier(step, 10, schedule) for step in range(1, 11)]
    assert factors == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]


@given(
    steps=st.integers(1, 300),
    warmup=st.floats(0, 0.5),
    decay=st.floats(0, 0.5),
    final=st.floats(0, 1),
)
def test_never_still_never_too_high_one_peak(steps, warmup, decay, final):
    schedule = ScheduleConfig(warmup_fraction=warmup, decay_fraction=decay, min_lr_ratio=final)
    factors = [lr_multiplier(step, steps, schedule) for step in range(1, steps + 1)]
    assert all(0 < lr_scale <= 1 for lr_scale in factors)
    directions = [b > a for a, b in pairwise(factors) if a != b]
    assert directions == sorted(directions, reverse=True)


def test_the_fall_may_be_given_in_steps():
    factors = [lr_multiplier(step, 10, falling(decay_steps=4)) for step in range(1, 11)]
    assert factors == [1.0] * 7 + [0.75, 0.5, 0.25]


def test_cosine_falls_to_the_final_ratio():
    schedule = falling(decay_shape="cosine", min_lr_ratio=0.2)
    for step in range(1, 101):
        expected = 0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * (step - 1) / 100))
        assert lr_multiplier(step, 100, schedule) == pytest.approx(expected)


@pytest.mark.parametrize("peak", [1.0, 3.0])
def test_adaptive_cosine_rises_before_it_falls(peak):
    """Its formula is that of the record for chunk c of N, with N − 1 steps until zero."""
    schedule = falling(decay_shape="adaptive-cosine", adaptive_peak=peak)
    n = 101
    for c in range(n - 1):
        record = 0.5 * (1 + math.cos(math.pi * c / (n - 1)))
        record *= 1 + (peak - 1) * min(1, c / (0.3 * (n - 1)))
        assert lr_multiplier(c + 1, n - 1, schedule) == pytest.approx(record)


def test_seconds_measure_the_run_and_mean_steps_the_fall():
    schedule = falling(seconds=100.0, decay_steps=20, warmup_fraction=0.1)
    # Ten steps in 5 seconds: the fall takes 20 · 0.5 seconds. The rise takes 10.
    assert lr_multiplier(11, 10**6, schedule, 5.0) == pytest.approx(0.55)
    assert lr_multiplier(101, 10**6, schedule, 50.0) == 1.0
    assert lr_multiplier(191, 10**6, schedule, 95.0) == pytest.approx(0.5)
    # Steps that have become slower make the fall longer, as in the records.
    assert lr_multiplier(51, 10**6, schedule, 95.0) == pytest.approx(5 / (20 * 95 / 50))
    assert lr_multiplier(1, 10**6, falling(seconds=100.0, decay_steps=5)) == 1.0


def test_the_share_done_is_of_steps_or_of_seconds():
    assert [share_of_run(step, 4, falling()) for step in (1, 2, 4)] == [0.0, 0.25, 0.75]
    assert share_of_run(7, 10, falling(seconds=60.0), 15.0) == 0.25
