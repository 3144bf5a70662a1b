"""Configuration and run folder of a new run from its options, and hints for wrong options."""

from difflib import get_close_matches
from pathlib import Path

import click

from spike_lm.model import Config, load_config
from spike_lm.model.config.documentation import printed_config
from spike_lm.model.config.loader import config_source, preset_summaries
from spike_lm.model.config.schema import keys_of

from ..results import print_result

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


def settings_named(name: str) -> list[str]:
    """Return the keys of the configuration that a word may mean, likeliest first; at most three.

    >>> settings_named("lr"), settings_named("step"), settings_named("xyzzy")
    (['optimizer.muon_learning_rate', 'optimizer.adamw_learning_rate'], ['train.steps'], [])
    """
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
    print_result(preset_summaries(), as_json)


def print_config(config_name: str | None, overrides: tuple[str, ...]) -> None:
    """Print the TOML of a configuration with comments."""
    click.echo(printed_config(config_name or "base", overrides), nl=False)


def new_run(
    config_name: str | None, overrides: tuple[str, ...], out: Path | None
) -> tuple[Config, Path, str]:
    """Return the configuration and the folder of a new run, and where the former is from.

    Raises:
        UsageError: no configuration is named.
    """
    if config_name is None:
        raise click.UsageError(
            "no configuration is named; use --config FILE or --config PRESET (spike train --list), "
            "or --resume RUN"
        )
    folder = out or Path("runs") / Path(config_name).stem
    return load_config(config_name, overrides), folder, config_source(config_name)
