"""`spike report`: runs on one self-contained page."""

from pathlib import Path
from typing import Any

import click

from ..console import OUTPUT, PATH, callbacks, common_options, device_option, tune_malloc
from ..results import print_result, result_options, sized, some


@click.command(short_help="Write a page on runs.")
@click.argument("runs", nargs=-1, required=True, type=PATH, metavar="RUN...")
@click.option(
    "--out",
    "-o",
    type=OUTPUT,
    default=Path("report.html"),
    show_default=True,
    help="The page.",
)
@click.option(
    "--artifact",
    "artifacts",
    multiple=True,
    type=PATH,
    help="Packed model of one of the runs; may be repeated.  [default: RUN.spike beside the run]",
)
@click.option(
    "--items",
    multiple=True,
    type=PATH,
    help="File of spike eval --items, one for each run in order: compares single items.",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="Text on which each run is compared with the first; may be repeated.",
)
@click.option(
    "--split-text",
    default="auto",
    show_default=True,
    help="--text: how a text becomes documents, as in spike shard.",
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    help="Continue this text with each run; may be repeated.  [default: samples of the training]",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of --prompt."
)
@click.option(
    "--max-tokens",
    "sample_tokens",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Tokens of each continuation.",
)
@click.option(
    "--no-data",
    "with_data",
    flag_value=False,
    default=True,
    help="Do not read the shards: no statistics, no repeated passages.",
)
@device_option
@result_options
@common_options
def report(runs: tuple[Path, ...], out: Path, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write one page on runs: curves, scores, data, samples; it needs no network.

    Lineage, loss against tokens, time and FLOPs, learning rate, throughput, validation, task
    scores, packed bytes, samples, statistics of tokens and shards, and the longest passages of a
    sample that the training text repeats. Several runs are compared with the first one. A section
    without data says how to get it.

    \b
    Examples:
      spike report runs/base -o base.html
      spike report runs/base runs/wide --text held.txt --split-text 4096
      spike report runs/base --prompt "Once upon a time" --seed 7
    """
    from .recipe import ReportSettings, write_report

    tune_malloc()
    found = write_report(runs, out, ReportSettings(**options), callbacks(quiet))
    rows = {"page": f"{out}, {sized(found['bytes'])}, {some(len(runs), 'run')}"}
    print_result(found, as_json, rows)
