"""W&B run, offline unless WANDB_MODE says otherwise, in the run's folder `wandb/`."""

import os
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import wandb

from spike_lm.model.runs.metrics import METRICS

from .metric_loggers import LoggedRun, MetricLogger


def open_logger(run: LoggedRun) -> MetricLogger:
    """Open or continue the run; W&B itself ignores steps that it has."""
    place = run.folder.resolve()
    with (place / METRICS).open("rb") as file:
        beginning = file.readline()  # has the time of the first step
    mode: Any = os.environ.get("WANDB_MODE", "offline")
    opened = wandb.init(
        project=run.project,
        name=place.name,
        id=sha256(beginning).hexdigest()[:16],
        dir=str(place),
        config={"toml": run.config},
        mode=mode,
        resume="allow",
        settings=wandb.Settings(console="off", silent=True),
    )

    def write(
        step: int, _time: float, numbers: Mapping[str, float], texts: Mapping[str, str]
    ) -> None:
        opened.log({**numbers, **texts}, step=step)

    return MetricLogger(write=write, close=opened.finish, last_step=run.step)
