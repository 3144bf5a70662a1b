"""Settings of a predictor and of test-time training, of the words of their options."""

from pathlib import Path

import click

from spike_lm.model.config.mixing import PredictorSettings, settings_of
from spike_lm.model.config.ttt import TTTConfig, parse_ttt
from spiketok.errors import SpikeError


def chosen_settings(
    parts: str | None, without_network: bool, counts_folder: Path | None = None
) -> PredictorSettings | None:
    """Return the settings of the options, None for the network by itself.

    Raises:
        UsageError: a part is unknown, or counts have no part.
    """
    if parts is None and not without_network:
        return None
    wanted = ["all"] if parts is None else parts.split(",")
    try:
        settings = settings_of(wanted, network=not without_network)
    except ValueError as error:
        raise click.UsageError(f"--with: {error}") from None
    if counts_folder and not settings.has("ngram"):
        raise click.UsageError("--counts goes with --with ngram; add it or leave --counts out")
    return settings


def ttt_config(ttt: str | None) -> TTTConfig | None:
    """Return the settings of --ttt; None without it.

    Raises:
        UsageError: a setting is unknown or out of range.
    """
    try:
        return None if ttt is None else parse_ttt("" if ttt == "default" else ttt)
    except SpikeError as error:
        raise click.UsageError(f"--ttt: {error}") from None
