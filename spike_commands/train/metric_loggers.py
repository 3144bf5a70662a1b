"""Metric loggers: each line of `metrics.jsonl` for TensorBoard, trackio or W&B (`[log] to`).

A logger never stops or changes a training: after its first failure it is left out, with a remark.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import Any

from spike_lm.model import Config
from spike_lm.model.config.loader import dump_config
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.runs.metrics import METRICS, read_metrics
from spike_lm.model.training.trainer import Progress, with_sample
from spiketok.errors import SpikeError

Line = Mapping[str, int | float | str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """Run as loggers know it.

    Attributes:
        folder: of the run.
        project: of trackio and W&B.
        config: the configuration as TOML.
        step: of the checkpoint from which training continues; 0: from the start.
    """

    folder: Path
    project: str
    config: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLogger:
    """Open metric logger.

    Attributes:
        write: called with a step, the time in seconds since 1970, numbers by name, and texts.
        close: called at the end.
        last_step: last step that the program has; lines after it are sent.
    """

    write: Callable[[int, float, Mapping[str, float], Mapping[str, str]], None]
    close: Callable[[], None]
    last_step: int = 0


def check_loggers(config: Config) -> None:
    """Check that the packages of the configured loggers are installed.

    Raises:
        SpikeError: one is not.
    """
    for name in logger_names(config):
        if find_spec(name) is None:
            raise SpikeError(
                f"log.to: the package {name} is not installed; install it (pip install {name}) or "
                f"leave it out (--set 'log.to=[]')"
            )


def logger_names(config: Config) -> Sequence[str]:
    """Return the configured loggers, each once."""
    return tuple(dict.fromkeys(config.log.to if config.log else ()))


@contextmanager
def open_loggers(
    config: Config, folder: Path, remark: Callable[[str], None]
) -> Iterator[Callable[[Progress], None]]:
    """Yield the function that sends logged steps to the configured loggers.

    A logger is opened at the first logged step. Their own messages are discarded.

    Args:
        config: of the run.
        folder: of the run, before training continues.
        remark: shows a line on a logger that failed.
    """
    newest = newest_checkpoint(folder)
    run = LoggedRun(
        folder=folder,
        project=config.log.project if config.log else "",
        config=dump_config(config),
        step=int(newest.name.removeprefix("step-")) if newest else 0,
    )
    # None before the first logged step; absent after a failure.
    loggers: dict[str, MetricLogger | None] = dict.fromkeys(logger_names(config))

    def guarded(name: str, action: Callable[..., Any], *arguments: Any) -> Any:
        try:
            with redirect_stdout(StringIO()):  # results alone are on stdout
                return action(*arguments)
        except Exception as error:  # a fault of another program is none of the training
            loggers.pop(name, None)
            fault = " ".join(f"{type(error).__name__}: {error}".split())
            remark(f"log.to: {name} failed and is left out from now on ({fault})")

    def send(progress: Progress) -> None:
        if not progress.logged:
            return
        for name in list(loggers):
            if loggers[name] is None:
                loggers[name] = guarded(name, opened, name, run)
            if logger := loggers.get(name):
                guarded(name, send_line, logger, with_sample(progress.metrics, progress.sample))
            else:
                loggers.pop(name)

    try:
        yield send
    finally:
        for name, logger in list(loggers.items()):
            if logger is not None:
                guarded(name, logger.close)


def opened(name: str, run: LoggedRun) -> MetricLogger:
    """Open a logger, whose module alone imports its package, and send the lines that it lacks.

    A killed process may have lost lines before the checkpoint.
    """
    logger: MetricLogger = import_module(f".{name}_logger", __package__).open_logger(run)
    if logger.last_step < run.step:
        for line in read_metrics(run.folder / METRICS):
            if int(line["step"] or 0) <= run.step:
                send_line(logger, line)
    return logger


def send_line(logger: MetricLogger, line: Line) -> None:
    """Send a line of metrics, if the program does not have it; without numbers that are not finite.

    Args:
        logger: where to.
        line: as in `metrics.jsonl`.
    """
    step, time = int(line["step"] or 0), float(line["time"] or 0)
    if step <= logger.last_step:
        return
    rest = {key: value for key, value in line.items() if key not in ("step", "time")}
    numbers = {key: value for key, value in rest.items() if isinstance(value, int | float)}
    texts = {key: value for key, value in rest.items() if isinstance(value, str)}
    logger.write(step, time, {k: v for k, v in numbers.items() if isfinite(v)}, texts)
