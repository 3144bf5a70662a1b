"""Configuration and data of a resumed run."""

from pathlib import Path

import click
from msgspec.structs import replace

from spike_lm.model import Config, config_fingerprint, load_config
from spike_lm.model.runs.lineage import CONFIG, read_config
from spiketok.errors import SpikeError


def resumed_config(config_name: str | None, overrides: tuple[str, ...], resume: Path) -> Config:
    """Return the configuration of a resumed run; options may only name other folders.

    Raises:
        SpikeError: the run's files cannot be read, or it has no data to resume with.
        UsageError: an option changes another key.
    """
    config = read_config(resume)
    if config_name or overrides:
        wanted = load_config(config_name or str(resume / CONFIG), overrides)
        if config_fingerprint(wanted) != config_fingerprint(config):
            raise click.UsageError(
                f"{resume}: only data.path (--data), distill.teachers, [log] and [tasks] may "
                "change in a resumed run; for other keys start a new run with its weights: "
                f"spike train --init {resume} --config {resume / CONFIG} --set … --out NEW"
            )
        changed = {override.partition("=")[0].strip() for override in overrides}
        data = wanted.data if "data.path" in changed else config.data
        distill = wanted.distill if "distill.teachers" in changed else config.distill
        log = wanted.log if any(key.startswith("log.") for key in changed) else config.log
        scored = any(key.startswith("tasks.") for key in changed)
        tasks = wanted.tasks if scored else config.tasks
        config = replace(config, data=data, distill=distill, log=log, tasks=tasks)
    if not config.data.path:
        raise SpikeError(
            f"{resume}: holds only weights, of an artifact or an exported folder, and names no "
            f"data; start a new run: spike train --init {resume} --config CONFIG --data DATA"
        )
    return config
