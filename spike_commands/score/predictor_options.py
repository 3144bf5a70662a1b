"""Predictor options: the parts of a predictor, their initial counts, test-time training."""

from pathlib import Path

import click

from ..console import PATH, Command

counts_option = click.option(
    "--counts",
    "counts_folder",
    type=PATH,
    metavar="SHARDS",
    help="ngram: initial counts, of these shards' training split.  [default: those in the "
    "artifact, if any]",
)

ttt_option = click.option(
    "--ttt",
    metavar="SETTINGS",
    help="Test-time training on each chunk after it is scored: default, or settings such as "
    "chunk=8192,rank=8.",
)


def predictor_options(command: Command) -> Command:
    """Add `--with`, `--without-network` and `--counts`."""
    parts = click.option(
        "--with",
        "parts",
        metavar="PART,…",
        help="Parts to mix with the network: temperature, calibration, ngram, match, mixture or "
        "all.",
    )
    alone = click.option(
        "--without-network",
        is_flag=True,
        help="Predict by the parts alone, all of them without --with.",
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
    """Check that counts have a part to use, and that a network to teach or compile is a part.

    Args:
        parts: the words of `--with`.
        without_network: whether the parts predict alone.
        counts_folder: shards whose n-grams are counted first.
        ttt: the words of `--ttt`.
        compiled: whether the network is compiled.

    Raises:
        UsageError: counts have no part, or the network is left out.
    """
    if without_network and compiled:
        raise click.UsageError(
            "--compile compiles the network; leave out --compile or --without-network"
        )
    if counts_folder and parts is None and not without_network:
        raise click.UsageError("--counts goes with --with ngram; add it or leave --counts out")
    if without_network and ttt is not None:
        raise click.UsageError("--ttt trains the network; leave out --ttt or --without-network")
