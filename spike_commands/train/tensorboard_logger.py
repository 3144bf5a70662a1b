"""TensorBoard event files of a run, in its folder `tensorboard/`."""

import time
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from .metric_loggers import LoggedRun, MetricLogger

FOLDER = "tensorboard"
# Seconds between the event files of two processes: their names order them by the second.
APART = 1.1


def open_logger(run: LoggedRun) -> MetricLogger:
    """Open an event file; readers drop events of others after the checkpoint (`purge_step`)."""
    folder = run.folder / FOLDER
    known = folder.exists()
    if known:
        wait_for_next_name(folder)
    purge_step = run.step + 1 if known else None
    writer = SummaryWriter(str(folder), purge_step=purge_step)

    def write(
        step: int, walltime: float, numbers: Mapping[str, float], texts: Mapping[str, str]
    ) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, step, walltime=walltime)
        for name, text in texts.items():
            writer.add_text(name, text, step, walltime=walltime)
        writer.flush()

    return MetricLogger(write=write, close=writer.close, last_step=run.step if known else 0)


def wait_for_next_name(folder: Path) -> None:
    """Sleep until a new event file's name sorts after all others, for at most `APART` seconds."""
    newest = max((path.stat().st_mtime for path in folder.iterdir()), default=0.0)
    time.sleep(min(APART, max(0.0, newest + APART - time.time())))
