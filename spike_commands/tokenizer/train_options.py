"""Training options of `spike tokenizer train`: a trainer and its settings."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import click

from spiketok.errors import SettingError

# Options of algorithm length-max alone; its settings have the same names.
LENGTH_MAX_ALONE = (
    *("effort", "objective", "boundary", "pattern", "two_stage", "digits", "min_frequency"),
    "max_token_bytes",
)


def check_options(context: click.Context, algorithm: str) -> None:
    """Check that the algorithm knows all given options."""
    foreign = ("alphabet",) if algorithm == "length-max" else (*LENGTH_MAX_ALONE, "specials")
    for name in foreign:
        source = context.get_parameter_source(name)
        if source not in (None, click.core.ParameterSource.DEFAULT):
            raise click.UsageError(
                f"{option_of(name)} means nothing to algorithm {algorithm}; leave it out"
            )


def trainer(options: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the trainer of the chosen algorithm with its settings; its argument is the corpus."""
    from spiketok import BeseSettings, LengthMaxSettings, train_bese, train_length_max

    settings: dict[str, Any] = {"held_out": options["held_out"], "memory": options["memory"] << 20}
    if options["vocab"] is not None:
        settings["vocab_size"] = options["vocab"]
    try:
        if options["algorithm"] == "bese":
            settings["alphabet"] = options["alphabet"]
            return partial(train_bese, settings=BeseSettings(**settings))
        settings |= {name: options[name] for name in LENGTH_MAX_ALONE}
        settings["layout"] = options["specials"]
        return partial(train_length_max, settings=LengthMaxSettings(**settings))
    except SettingError as error:
        raise click.UsageError(f"{option_of(error.setting)}: {error.fault}") from None


def option_of(setting: str) -> str:
    """Return the option of a setting.

    >>> option_of("vocab_size"), option_of("two_stage")
    ('--vocab', '--two-stage')
    """
    return {"vocab_size": "--vocab", "layout": "--special-tokens"}.get(setting) or (
        "--" + setting.replace("_", "-")
    )
