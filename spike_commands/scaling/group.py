"""`spike scaling`: scaling laws of finished runs."""

from pathlib import Path

import click

from ..console import OUTPUT, PATH, Fraction, callbacks, common_options
from ..results import print_result, result_options
from .rows import scaling_rows


@click.group()
def scaling() -> None:
    """Fit scaling laws to runs."""


@scaling.command(short_help="Fit loss as a function of tokens and parameters.")
@click.argument("runs", nargs=-1, required=True, type=PATH)
@click.option(
    "--loss",
    type=click.Choice(["train", "validation"]),
    default="train",
    show_default=True,
    help="Losses of a curve.",
)
@click.option(
    "--warmup",
    type=Fraction(0, 0.9),
    help="Share of a curve to leave out at its start.  [default: the run's warm-up]",
)
@click.option("--parameters", type=click.FloatRange(1), help="Parameters N of files without a run.")
@click.option(
    "--knee-tokens",
    type=click.FloatRange(1),
    default=1e9,
    show_default=True,
    help="At the knee as many more tokens …",
)
@click.option(
    "--knee-nats",
    type=click.FloatRange(0, min_open=True),
    default=0.005,
    show_default=True,
    help="… gain less than this.",
)
@click.option(
    "--plot",
    "plots",
    multiple=True,
    type=OUTPUT,
    metavar="FILE.png|FILE.svg",
    help="Picture to write, with the 95 % interval; may be repeated. Needs matplotlib.",
)
@result_options
@common_options
def fit(
    runs: tuple[Path, ...],
    loss: str,
    warmup: float | None,
    parameters: float | None,
    knee_tokens: float,
    knee_nats: float,
    plots: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Fit L(D) = E + B·D^-β to each of RUNS; with several also E + A·N^-α + B·D^-β to all.

    RUNS are run folders or files metrics.jsonl. D is training tokens, N parameters, L nats per
    token. docs/scaling.md explains the method, and which numbers mix two fits.

    \b
    Examples:
      spike scaling fit runs/base
      spike scaling fit runs/base --plot curve.png --plot curve.svg
      spike scaling fit runs/w* --loss validation --json
    """
    for file in plots:
        if file.suffix.lower() not in (".png", ".svg"):
            raise click.UsageError(f"--plot {file}: the ending is not .png or .svg; change it")
    from .recipe import fit_runs

    found = fit_runs(
        runs,
        loss=loss,
        warmup=warmup,
        parameters=parameters,
        knee_tokens=knee_tokens,
        knee_nats=knee_nats,
        plots=plots,
        show=callbacks(quiet),
    )
    print_result(found, as_json, scaling_rows(found))
