from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from model.config import ScheduleConfig
from model.training.schedule import learning_rate_factor


def test_rise_stay_fall():
    schedule = ScheduleConfig(warmup_fraction=0.2, decay_fraction=0.5, final_ratio=0.0)
    factors = [learning_rate_factor(step, 10, schedule) for step in range(1, 11)]
    assert factors == [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2]


@given(
    steps=st.integers(1, 300),
    warmup=st.floats(0, 0.5),
    decay=st.floats(0, 0.5),
    final=st.floats(0, 1),
)
def test_never_still_never_too_high_one_peak(steps, warmup, decay, final):
    schedule = ScheduleConfig(warmup_fraction=warmup, decay_fraction=decay, final_ratio=final)
    factors = [learning_rate_factor(step, steps, schedule) for step in range(1, steps + 1)]
    assert all(0 < factor <= 1 for factor in factors)
    directions = [b > a for a, b in pairwise(factors) if a != b]
    assert directions == sorted(directions, reverse=True)
