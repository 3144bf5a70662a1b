"""Logging settings: the section `[log]`."""

from typing import Literal

from msgspec import Struct

LoggerName = Literal["tensorboard", "trackio", "wandb"]


class LogConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Metrics for other programs, beside `metrics.jsonl`; a resumed run may change it."""

    to: tuple[LoggerName, ...] = ()
    """Programs that get each line of metrics; their packages are needed (docs/report.md)."""
    project: str = "spike"
    """Project of the run in trackio and W&B."""
