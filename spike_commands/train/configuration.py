"""Configuration and run folder from the options of `spike train`, and hints for wrong options."""

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spiketok.errors import SpikeError

from ..results import print_result

if TYPE_CHECKING:
    from spike_lm.model import Config

RATES = ("optimizer.muon_learning_rate", "optimizer.adamw_learning_rate")
# Options of other trainers, without dashes → keys here.
KNOWN_ELSEWHERE = {
    "lr": RATES,
    "learning_rate": RATES,
    "weight_decay": ("optimizer.muon_weight_decay",),
    "beta": ("optimizer.adamw_betas",),
    "clip": ("train.grad_clip",),
    "max_grad_norm": ("train.grad_clip",),
    "batch": ("train.batch_size", "train.micro_batch_size"),
    "epochs": ("train.steps",),
    "iterations": ("train.steps",),
    "max_iters": ("train.steps",),
    "max_steps": ("train.steps",),
    "block_size": ("model.context",),
    "context_length": ("model.context",),
    "seq_len": ("model.context",),
    "n_layer": ("model.layers",),
    "n_head": ("model.heads",),
    "n_embd": ("model.dim",),
    "width": ("model.dim",),
    "fp16": ("train.precision",),
    "bf16": ("train.precision",),
    "eval_every": ("validation.every",),
    "save_every": ("checkpoint.every",),
    "teacher": ("distill.teachers",),
}


class TrainingCommand(click.Command):
    """Command that answers unknown options with the configuration keys they may mean."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            places = settings_named(error.option_name.lstrip("-").replace("-", "_"))
            if not places:
                raise
            ways = " and ".join(f"--set {place}=VALUE" for place in places)
            raise click.UsageError(f"no option {error.option_name}; use {ways}", ctx) from None


def settings_named(name: str) -> list[str]:
    """Return the keys of the configuration that a word may mean, likeliest first; at most three.

    >>> settings_named("lr"), settings_named("step"), settings_named("xyzzy")
    (['optimizer.muon_learning_rate', 'optimizer.adamw_learning_rate'], ['train.steps'], [])
    """
    from spike_lm.model.config.schema import Config, keys_of

    if name in KNOWN_ELSEWHERE:
        return list(KNOWN_ELSEWHERE[name])
    found: dict[str, list[str]] = {}
    for section in Config.__struct_fields__:
        for key in keys_of(section):
            found.setdefault(key, []).append(f"{section}.{key}")
            found.setdefault(f"{section}_{key}", []).append(f"{section}.{key}")
    close = [name] if name in found else get_close_matches(name, found, n=1, cutoff=0.8)
    return [place for key in close for place in found[key]][:3]


def print_presets(as_json: bool) -> None:
    """Print the name and purpose of each preset."""
    from spike_lm.model.config.loader import preset_summaries

    print_result(preset_summaries(), as_json)


def print_config(config_name: str | None, overrides: tuple[str, ...]) -> None:
    """Print the TOML of a configuration with comments."""
    from spike_lm.model.config.documentation import printed_config

    click.echo(printed_config(config_name or "base", overrides), nl=False)


def chosen_run(
    config_name: str | None, overrides: tuple[str, ...], out: Path | None, resume: Path | None
) -> tuple["Config", Path]:
    """Return the configuration and the folder of the run, from the options."""
    from spike_lm.model import load_config

    if resume is None:
        if config_name is None:
            raise click.UsageError(
                "say --config FILE or --config PRESET (spike train --list) for a new run, or "
                "--resume RUN"
            )
        return load_config(config_name, overrides), out or Path("runs") / Path(config_name).stem
    if out not in (None, resume):
        raise click.UsageError("--resume goes on in its own folder; leave out --out")
    return resumed_config(config_name, overrides, resume), resume


def resumed_config(config_name: str | None, overrides: tuple[str, ...], resume: Path) -> "Config":
    """Return the configuration of a resumed run; options may only name other folders.

    Raises:
        SpikeError: the run's files cannot be read, or it has no data to resume with.
    """
    from msgspec.structs import replace

    from spike_lm.model import config_fingerprint, load_config
    from spike_lm.model.runs.folder import CONFIG, read_config

    config = read_config(resume)
    if config_name or overrides:
        wanted = load_config(config_name or str(resume / CONFIG), overrides)
        if config_fingerprint(wanted) != config_fingerprint(config):
            raise click.UsageError(
                f"{resume} goes on with the configuration that it began with; only data.path (or "
                "--data) and distill.teachers may change. For other keys begin a new run with its "
                f"weights: spike train --init {resume} --config {resume / CONFIG} --set … --out NEW"
            )
        changed = {override.partition("=")[0].strip() for override in overrides}
        data = wanted.data if "data.path" in changed else config.data
        distill = wanted.distill if "distill.teachers" in changed else config.distill
        config = replace(config, data=data, distill=distill)
    if not config.data.path:
        raise SpikeError(
            f"{resume}: has weights alone, of an artifact or an exported folder, and no data to go "
            f"on with; begin a new run: spike train --init {resume} --config CONFIG --data DATA"
        )
    return config


def data_of(config: "Config", given: Path | None, resume: Path | None) -> Path:
    """Return the shard folder to train on.

    Raises:
        SpikeError: the data of a resumed run is neither where it was nor where it was
            relative to the run.
    """
    folder = (given or Path(config.data.path)).absolute()
    if resume and not given and not folder.exists():
        raise SpikeError(
            f"{folder}: not there, and {resume} was trained on it; name the shards with --data"
        )
    return folder
