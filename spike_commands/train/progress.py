"""Progress of a training: the bar's numbers at each step, a line for each validation and sample."""

from collections import deque
from math import isfinite, nan
from typing import TYPE_CHECKING

from ..console import Report, remark
from .sample import sample_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from spike_lm.model import Config
    from spike_lm.model.training.trainer import Progress

# The loss shown is the mean of this many steps.
SMOOTHED_STEPS = 20


def length_of(config: "Config") -> tuple[float, str]:
    """Return the length of a run and its unit."""
    if config.schedule.seconds:
        return config.schedule.seconds, "s"
    return config.train.steps, "steps"


def training_progress(
    config: "Config", score_name: str, show: Report, quiet: bool
) -> "Callable[[Progress], None]":
    """Return the callback that shows each step of a training on a progress bar.

    The loss is in bits per byte, as the validation's score is, and the mean of the last 20 steps.
    A run that ends after a time is measured in seconds.
    """
    recent: deque[float] = deque(maxlen=SMOOTHED_STEPS)
    unit = score_name.replace("_", " ")

    def report(progress: "Progress") -> None:
        metrics = progress.metrics
        replies = "reply_loss" in metrics
        loss = metrics[f"train_reply_{score_name}" if replies else f"train_{score_name}"]
        recent.extend([loss] if isfinite(loss) else [])
        mean = sum(recent) / len(recent) if recent else nan
        parts = [
            f"{mean:.3f} {'reply ' if replies else ''}{unit}",
            f"lr {metrics['learning_rate']:.3g}",
            f"{metrics['tokens_per_second']:,.0f} tokens/s",
        ]
        done: float = progress.step
        if config.schedule.seconds:
            done = progress.seconds or 0.0
            parts.append(f"step {progress.step:,}")
        show(done, ", ".join(parts), progress.logged)
        for key, what in (
            (f"validation_{score_name}", "text"),
            (f"validation_reply_{score_name}", "replies"),
        ):
            if key in metrics:
                score = f"{metrics[key]:.4f} {unit} on validation {what}"
                remark(f"step {progress.step:>6}: {score}", quiet)
        if progress.sample is not None:
            remark(f"step {progress.step:>6}: sample", quiet)
            for line in sample_lines(progress.sample):
                remark(line, quiet)

    return report
