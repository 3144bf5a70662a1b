"""trackio run, in its local database; TRACKIO_SPACE_ID of the user may name another place."""

from collections.abc import Mapping

import trackio

from .metric_loggers import LoggedRun, MetricLogger


def open_logger(run: LoggedRun) -> MetricLogger:
    """Open or continue the run of this name; steps that it has are not sent again."""
    opened = trackio.init(
        project=run.project,
        name=run.folder.resolve().name,
        config={"toml": run.config},
        resume="allow" if run.step else "never",
        embed=False,
        auto_log_gpu=False,
        auto_log_cpu=False,
    )
    has = getattr(opened, "_next_step", 0) - 1 if run.step else 0

    def write(
        step: int, _time: float, numbers: Mapping[str, float], texts: Mapping[str, str]
    ) -> None:
        trackio.log({**numbers, **texts}, step=step)

    return MetricLogger(write=write, close=trackio.finish, last_step=max(0, has))
