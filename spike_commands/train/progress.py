"""Progress of a training: the bar's numbers at each step, a line for each validation and sample."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path

from spike_lm.model import Config
from spike_lm.model.runs.metrics import Metrics
from spike_lm.model.training.trainer import Progress, Sample

from ..callbacks import Callbacks, Report
from ..results import some
from ..visible import safe_for_terminals
from .metric_loggers import open_loggers

# The loss shown is the mean of this many steps.
SMOOTHED_STEPS = 20
MAX_TREND = 64
# Lines of a prompt, and of a sample, that the log shows; `metrics.jsonl` has all of them.
MAX_LINES = 20


@dataclass(slots=True)
class Trend:
    """Series of at most 64 values, evenly spaced, of any number of them.

    >>> trend = Trend()
    >>> for value in range(1000): trend.add(value)
    >>> len(trend.values), trend.values[:3]
    (62, [15, 31, 47])
    """

    values: list[float] = field(default_factory=list)
    count: int = 0
    every: int = 1

    def add(self, value: float) -> None:
        """Add the next value."""
        self.count += 1
        if self.count % self.every == 0:
            self.values.append(value)
        if len(self.values) > MAX_TREND:
            self.values, self.every = self.values[1::2], 2 * self.every


def length_of(config: Config) -> tuple[float, str]:
    """Return the length of a run and its unit."""
    if config.schedule.seconds:
        return config.schedule.seconds, "s"
    return config.train.steps, "steps"


@contextmanager
def training_reports(
    config: Config, folder: Path, score_name: str, show: Callbacks
) -> Iterator[Callable[[Progress], None]]:
    """Yield the callback that shows each step of a training and sends logged ones to loggers.

    Args:
        config: the configuration.
        folder: of the run.
        score_name: name of the score, such as `bits_per_byte`.
        show: callbacks for progress and remarks.
    """
    with (
        show.progress("train", *length_of(config)) as report,
        open_loggers(config, folder, show.remark) as send,
    ):
        show_step = training_progress(config, score_name, report, show.remark)

        def call(progress: Progress) -> None:
            show_step(progress)
            send(progress)

        yield call


def training_progress(
    config: Config, score_name: str, show: Report, remark: Callable[[str], None]
) -> Callable[[Progress], None]:
    """Return the callback that shows each step of a training on a progress bar.

    The loss is in bits per byte, as the validation's score is, and the mean of the last 20 steps.
    A run that ends after a time is measured in seconds.

    Args:
        config: the configuration.
        score_name: name of the score, such as `bits_per_byte`.
        show: progress callback.
        remark: shows a line.
    """
    recent: deque[float] = deque(maxlen=SMOOTHED_STEPS)
    trend = Trend()
    unit = score_name.replace("_", " ")

    def report(progress: Progress) -> None:
        metrics = progress.metrics
        replies = "reply_loss" in metrics
        loss = metrics[f"train_reply_{score_name}" if replies else f"train_{score_name}"]
        recent.extend([loss] if isfinite(loss) else [])
        mean = sum(recent) / len(recent) if recent else nan
        trend.add(mean)
        parts = [
            f"{mean:.3f} {'reply ' if replies else ''}{unit}",
            f"lr {metrics['learning_rate']:.3g}",
            f"{metrics['tokens_per_second']:,.0f} tokens/s",
        ]
        done: float = progress.step
        if config.schedule.seconds:
            done = progress.seconds or 0.0
            parts.append(f"step {progress.step:,}")
        show(done, ", ".join(parts), progress.logged, trend.values)
        for key, what in (
            (f"validation_{score_name}", "text"),
            (f"validation_reply_{score_name}", "replies"),
        ):
            if key in metrics:
                score = f"{metrics[key]:.4f} {unit} on validation {what}"
                remark(f"step {progress.step:>6}: {score}")
        for line in task_lines(metrics):
            remark(f"step {progress.step:>6}: {line}")
        if progress.sample is not None:
            remark(f"step {progress.step:>6}: sample")
            for line in sample_lines(progress.sample):
                remark(line)

    return report


def task_lines(metrics: Metrics) -> Iterator[str]:
    """Yield a line for each task score of a step, with its error.

    >>> list(task_lines({"loss": 2.0, "task_piqa_acc": 0.5, "task_piqa_acc_error": 0.05}))
    ['task piqa acc 0.5000 ± 0.0500']
    """
    for key, value in metrics.items():
        if key.startswith("task_") and not key.endswith("_error"):
            error = metrics.get(f"{key}_error")
            shown = "" if error is None else f" ± {error:.4f}"
            yield f"{key.replace('_', ' ')} {value:.4f}{shown}"


def sample_lines(sample: Sample) -> Iterator[str]:
    r"""Yield the lines of a sample, indented, with control characters made visible.

    Blank lines in a row are shown as one, and at most 20 lines of the prompt and of the sample.

    >>> list(sample_lines(("user: Hi\nassistant: ", "yes\n\x1b[1m")))
    ['    user: Hi', '    assistant: yes', '    ⟨U+1B⟩[1m']
    """
    prompt, text = sample
    lines = safe_for_terminals(prompt + text).split("\n")
    begun = safe_for_terminals(prompt).count("\n")
    for part in (lines[:begun], lines[begun:]):
        yield from (f"    {line}".rstrip() for line in shortened(part))


def shortened(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines with one blank line for several, and the number of those after the 20th.

    >>> list(shortened(["a", "", " ", "b"]))
    ['a', '', 'b']
    >>> list(shortened(["a"] * 23))[19:]
    ['a', '… (3 more lines)']
    """
    blank = [not line.strip() for line in lines]
    kept = [
        "" if blank[number] else line
        for number, line in enumerate(lines)
        if not (blank[number] and number and blank[number - 1])
    ]
    yield from kept[:MAX_LINES]
    if len(kept) > MAX_LINES:
        yield f"… ({some(len(kept) - MAX_LINES, 'more line')})"
