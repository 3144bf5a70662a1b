"""Predictor options: the parts of a predictor, their initial counts, test-time training."""

from pathlib import Path

import click

from ..console import PATH, Command

counts_option = click.option(
    "--counts",
    "counts_folder",
    type=PATH,
    metavar="SHARDS",
    help="ngram: begin with the counts of these shards' training split; else with those in the "
    "artifact, or with none.",
)

ttt_option = click.option(
    "--ttt",
    metavar="SETTINGS",
    help="Let the network learn from each chunk once it is scored; as default, or "
    "chunk=8192,rank=8.",
)


def predictor_options(command: Command) -> Command:
    """Add `--with`, `--without-network` and `--counts`."""
    parts = click.option(
        "--with",
        "parts",
        metavar="PART,…",
        help="Parts on the network: temperature, calibration, ngram, match, mixture, or all.",
    )
    alone = click.option(
        "--without-network", is_flag=True, help="Let the parts predict alone, all if none is named."
    )
    return parts(alone(counts_option(command)))


def check_predictor(
    parts: str | None,
    without_network: bool,
    counts_folder: Path | None,
    ttt: str | None,
    *,
    compiled: bool = False,
) -> None:
    """Check that counts have a part to use, and that a network to teach or compile is a part."""
    if without_network and compiled:
        raise click.UsageError("--compile is for the network; leave out --without-network")
    if counts_folder and parts is None and not without_network:
        raise click.UsageError("--counts goes with --with ngram")
    if without_network and ttt is not None:
        raise click.UsageError("--ttt teaches the network; it does not go with --without-network")
