"""Series of a run's metrics for plots: buckets with mean, least and greatest value."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from .run_summary import Line, validation_name

# Points of a series; a plot has about twice as many pixels.
MAX_POINTS = 600
NAMES = ("loss", "learning_rate", "tokens_per_second", "gradient_norm")
DIGITS = 7


@dataclass(frozen=True, slots=True)
class Point:
    """Logged value with its place on the axes: tokens, and seconds of training."""

    tokens: float
    seconds: float
    value: float


def series_of(metrics: Sequence[Line]) -> dict[str, Any]:
    """Return the series of a run by name, and that of its validation score.

    A loss of replies is named `loss`. Each series has columns `tokens`, `seconds`, `mean`, `low`
    and `high`, one number a bucket, and `total`, the number of values.
    """
    points: dict[str, list[Point]] = {name: [] for name in (*NAMES, "score")}
    seconds, tokens = 0.0, 0.0
    for line in metrics:
        here, speed = number(line.get("tokens")), number(line.get("tokens_per_second"))
        if here is None:
            continue
        # Neither validation nor an interruption counts: the speed is that of the steps alone.
        seconds += (here - tokens) / speed if speed else 0.0
        tokens = here
        values = {name: number(line.get(name, line.get(f"reply_{name}"))) for name in NAMES}
        scores = [number(value) for key, value in line.items() if validation_name(key)]
        values["score"] = scores[0] if scores else None
        for name, value in values.items():
            if value is not None:
                points[name].append(Point(here, seconds, value))
    return {name: bucketed(found) for name, found in points.items() if found}


def number(value: object) -> float | None:
    """Return a finite number, else None."""
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def bucketed(points: Sequence[Point], most: int = MAX_POINTS) -> dict[str, Any]:
    """Return a series in at most `most` buckets of equally many neighbours.

    A bucket has the mean of its places and values, and its least and greatest value: no extreme
    value is lost.

    >>> bucketed([Point(1, 1, 3.0), Point(2, 2, 5.0), Point(3, 3, 4.0)], 2)["high"]
    [3.0, 5.0]
    """
    count = min(len(points), most)
    bounds = [part * len(points) // count for part in range(count + 1)] if count else []
    buckets = [points[start:stop] for start, stop in pairwise(bounds)]
    values = [[point.value for point in bucket] for bucket in buckets]
    return {
        "tokens": [mean([point.tokens for point in bucket]) for bucket in buckets],
        "seconds": [mean([point.seconds for point in bucket]) for bucket in buckets],
        "mean": [mean(bucket) for bucket in values],
        "low": [rounded(min(bucket)) for bucket in values],
        "high": [rounded(max(bucket)) for bucket in values],
        "total": len(points),
    }


def mean(values: Sequence[float]) -> float:
    """Return the mean, with as many digits as a page needs."""
    return rounded(sum(values) / len(values))


def rounded(value: float) -> float:
    """Return a number with seven digits.

    >>> rounded(1 / 3), rounded(123456789.0)
    (0.3333333, 123456800.0)
    """
    return float(f"{value:.{DIGITS}g}")
