"""`spike card`: the model card of a run."""

from pathlib import Path

import click

from spiketok.atomic_files import write_durably

from ..console import (
    OUTPUT,
    PATH,
    callbacks,
    common_options,
    json_option,
    misnamed,
    use_passive_omp_wait,
)
from ..results import print_lines, print_result


@click.command(short_help="Print the model card of a run.")
@click.argument("run", type=PATH)
@misnamed("--out", "--to")
@click.option("--to", "file", type=OUTPUT, help="File to write instead of printing it.")
@json_option
@common_options
def card(run: Path, file: Path | None, as_json: bool, quiet: bool) -> None:
    """Print the model card (README.md) of RUN, as `spike export model` writes it.

    It has the figures of the run and, after `spike eval --tasks … --save-results`, the task scores
    with their errors, conventions and overlap with the training text.

    \b
    Examples:
      spike card runs/base
      spike card runs/base --to CARD.md
    """
    use_passive_omp_wait()
    from spike_lm.model.huggingface import run_card

    from ..tasks.card import card_scores

    scores, _ = card_scores(run, callbacks(quiet or as_json))
    text = run_card(run, scores)
    if file:
        write_durably(file, text.encode())
    found = {"run": str(run), "file": str(file) if file else None, "card": text}
    if as_json or file:
        print_result(found, as_json, {"card": str(file)})
    else:
        print_lines(text.splitlines())
