"""Learning-rate schedule: warm-up, stable phase, decay (WSD).

The stable phase needs no planned end: a run can be extended, and only the decay is repeated
(MiniCPM, Hu et al. 2024, arXiv:2404.06395). A run is measured in steps or seconds. With seconds, a
decay given in steps lasts that many times the mean step time so far.
"""

import math

from ..config.schema import ScheduleConfig

# Share of the decay in which adaptive-cosine raises the rates.
ADAPTIVE_RISE = 0.3


def lr_multiplier(step: int, steps: int, schedule: ScheduleConfig, seconds: float = 0.0) -> float:
    """Return the share of the full learning rate for `step`, of 1 … `steps`.

    It rises linearly from nearly zero, stays at 1, and decays linearly or as cosine. It would reach
    `min_lr_ratio` one step after the last. `adaptive-cosine` decays to zero, and is above 1 around
    its peak.

    Args:
        step: the next one, from 1.
        steps: of the whole run.
        schedule: with `seconds`, these measure the run instead of the steps.
        seconds: of training so far.
    """
    if schedule.seconds:
        mean_step = seconds / (step - 1) if step > 1 else 0.0
        length, done, left = schedule.seconds, seconds + mean_step, schedule.seconds - seconds
    else:
        mean_step, length, done, left = 1.0, float(steps), float(step), float(steps + 1 - step)
    warmup = schedule.warmup_fraction * length
    decay = schedule.decay_steps * mean_step or schedule.decay_fraction * length
    rising = done / warmup if warmup else 1.0
    remaining = left / decay if decay else 1.0
    return _shaped(min(1.0, rising), remaining, schedule)


def _shaped(rising: float, remaining: float, schedule: ScheduleConfig) -> float:
    """Return the multiplier; `remaining` is at least 1 before the decay and falls to 0 in it."""
    if schedule.decay_shape == "linear":
        return min(rising, schedule.min_lr_ratio + (1.0 - schedule.min_lr_ratio) * remaining)
    fallen = 1.0 - min(1.0, max(0.0, remaining))
    cosine = 0.5 * (1.0 + math.cos(math.pi * fallen))
    if schedule.decay_shape == "cosine":
        return min(rising, schedule.min_lr_ratio + (1.0 - schedule.min_lr_ratio) * cosine)
    raised = 1.0 + (schedule.adaptive_peak - 1.0) * min(1.0, fallen / ADAPTIVE_RISE)
    return rising * raised * cosine


def share_of_run(step: int, steps: int, schedule: ScheduleConfig, seconds: float = 0.0) -> float:
    """Return the share of the run that is done before `step`, from 0 to 1.

    Args:
        step: the next one, from 1.
        steps: of the whole run.
        schedule: with `seconds`, these measure the run instead of the steps.
        seconds: of training so far.
    """
    return seconds / schedule.seconds if schedule.seconds else (step - 1) / steps
