"""Says how high the learning rate is at each step: rise, stay, fall.

The stable phase needs no end in sight, so that a run can be lengthened and only the fall repeated
(MiniCPM, Hu et al. 2024, arXiv:2404.06395).
"""

from ..config import ScheduleConfig


def learning_rate_factor(step: int, steps: int, schedule: ScheduleConfig) -> float:
    """Return the share of the full learning rate for `step`, of 1 … `steps`.

    Rises in a straight line from nearly zero, stays at 1, and falls in a straight line that would
    reach `final_ratio` one step after the last.
    """
    warmup = schedule.warmup_fraction * steps
    decay = schedule.decay_fraction * steps
    rising = step / warmup if warmup else 1.0
    left = (steps + 1 - step) / decay if decay else 1.0
    falling = schedule.final_ratio + (1.0 - schedule.final_ratio) * left
    return min(1.0, rising, falling)
