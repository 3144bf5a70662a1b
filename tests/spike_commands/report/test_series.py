"""Series for plots: no extreme value is lost, and time is that of the steps alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from spike_commands.report.series import Point, bucketed, series_of

VALUES = some.lists(some.floats(-1e6, 1e6, width=32), min_size=1, max_size=200)


@given(values=VALUES, most=some.integers(1, 40))
def test_buckets_keep_means_and_extremes(values, most):
    points = [Point(place, place, value) for place, value in enumerate(values)]
    found = bucketed(points, most)
    assert len(found["mean"]) == min(most, len(values))
    assert found["total"] == len(values)
    assert min(found["low"]) == pytest.approx(min(values), rel=1e-6)
    assert max(found["high"]) == pytest.approx(max(values), rel=1e-6)
    assert found["tokens"] == sorted(found["tokens"])
    for low, mean, high in zip(found["low"], found["mean"], found["high"], strict=True):
        assert low <= mean + 1e-3 + 1e-6 * abs(mean)
        assert mean <= high + 1e-3 + 1e-6 * abs(high)


def test_few_values_stay_as_they_are():
    found = bucketed([Point(1, 1, 5.0), Point(2, 2, 3.0)])
    assert found["mean"] == found["low"] == found["high"] == [5.0, 3.0]


def test_time_leaves_out_interruptions_and_null_is_no_value():
    metrics = [
        {"step": 1, "time": 0, "tokens": 100, "loss": 3.0, "tokens_per_second": 50.0},
        {"step": 2, "time": 9e9, "tokens": 300, "loss": None, "tokens_per_second": 100.0},
        {"step": 3, "tokens": 400, "loss": 2.0, "tokens_per_second": 10.0},
    ]
    found = series_of(metrics)
    assert found["loss"]["seconds"] == [2.0, 14.0]
    assert found["tokens_per_second"]["total"] == 3
    assert "gradient_norm" not in found


def test_replies_have_the_names_of_texts():
    found = series_of([{"step": 1, "tokens": 9, "reply_loss": 3.0}])
    assert found["loss"]["mean"] == [3.0]
