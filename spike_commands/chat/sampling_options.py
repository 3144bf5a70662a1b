"""Sampling options of `spike generate` and `spike chat`."""

from typing import Any

import click

# Seeds are below this.
SEEDS = 2**63


def check_not_nan(_: click.Context, __: click.Parameter, number: float) -> float:
    """Check for nan, which every range accepts.

    Raises:
        BadParameter: the number is nan.
    """
    if number != number:
        raise click.BadParameter("is not a number; name one in the range")
    return number


def check_temperature(context: click.Context, parameter: click.Parameter, number: float) -> float:
    """Check for temperatures at which logits overflow.

    Raises:
        BadParameter: the temperature is nan or too small.
    """
    if 0 < number < 0.001:
        raise click.BadParameter(f"{number} is too small; use 0, or 0.001 to 1000")
    return check_not_nan(context, parameter, number)


def drawing_options(command: Any) -> Any:
    """Add the options of sampling."""
    for option in (
        click.option(
            "--allow-unseen",
            is_flag=True,
            help="Also sample tokens that were never targets in training.",
        ),
        click.option(
            "--seed",
            type=click.IntRange(0, SEEDS - 1),
            default=0,
            show_default=True,
            help="Random seed.",
        ),
        click.option(
            "--repetition-penalty",
            type=click.FloatRange(0.01, 100),
            default=1.0,
            show_default=True,
            callback=check_not_nan,
            help="Above 1: tokens that already occur become less likely.",
        ),
        click.option(
            "--top-k",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Sample from the K likeliest tokens. 0: from all.",
        ),
        click.option(
            "--top-p",
            type=click.FloatRange(0, 1, min_open=True),
            default=0.95,
            show_default=True,
            callback=check_not_nan,
            help="Sample from the likeliest tokens whose probabilities sum to this (nucleus).",
        ),
        click.option(
            "--temperature",
            type=click.FloatRange(0, 1000),
            default=0.8,
            show_default=True,
            callback=check_temperature,
            help="Sampling temperature. 0: always the likeliest token.",
        ),
    ):
        command = option(command)
    return command
