"""`spike data at`: the documents that a training step used."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ..console import PATH, common_options
from ..results import print_result, result_options, some, table_lines
from ..visible import visible

# Characters of a text and windows of a step that are shown without --verbose.
SHOWN_TEXT, SHOWN_ROWS = 60, 20


@click.command(short_help="Show the documents that a training step used.")
@click.argument("run", type=PATH)
@click.option("--step", type=click.IntRange(1), help="Step, from 1, as in metrics.jsonl.")
@click.option("--spike", is_flag=True, help="Show the steps where the logged loss rose most.")
@click.option(
    "--top",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="Number of jumps that --spike shows.",
)
@click.option("--data", "data_folder", type=PATH, help="The run's shards, if they were moved.")
@result_options
@common_options
def at(
    run: Path,
    step: int | None,
    spike: bool,
    top: int,
    data_folder: Path | None,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Show the documents that a training step of RUN used: source, row, tokens and text.

    They are computed from the seed, the step and the shards' manifest, for all ranks and
    micro-batches of the step; resuming does not change them. A row is the number of a record; of
    JSON Lines and plain text the byte of the decompressed file where the document begins.

    --spike finds the largest rises of the loss from one line of metrics.jsonl to the next. A line
    has the loss of its own step; steps between two lines are not logged, but their updates changed
    the weights too.

    \b
    Examples:
      spike data at runs/base --step 120
      spike data at runs/base --step 120 -v
      spike data at runs/base --spike --top 1 --json
    """
    if (step is None) != spike:
        raise click.UsageError("choose one of --step and --spike")
    from .step_documents import documents_of_step, largest_jumps, open_trained

    trained = open_trained(run, data_folder)
    found: dict[str, Any] = {"run": str(run), "data": str(trained.data), "steps": trained.step}
    if step is not None:
        found |= documents_of_step(trained, step)
        print_result(found if as_json else printable(found), as_json, step_rows(found))
        return
    jumps = largest_jumps(trained, top)
    found["jumps"] = [
        {
            "rise": jump.loss - jump.previous_loss,
            "previous_step": jump.previous_step,
            "previous_loss": jump.previous_loss,
            **documents_of_step(trained, jump.step),
        }
        for jump in jumps
    ]
    whole = {f"step {jump['step']:,}": printable(jump) for jump in found["jumps"]}
    print_result(found if as_json else {"run": str(run), **whole}, as_json, jump_rows(found))


def step_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of a step: its windows, and their documents as a table."""
    loss = "" if found["loss"] is None else f", loss {found['loss']:.4f}"
    windows = f"{some(found['windows'], 'window')} of {found['context']:,} tokens"
    return {
        "run": f"{found['run']}, step {found['step']:,} of {found['steps']:,}{loss}",
        "windows": f"{windows}, epoch {found['epoch']:,}",
        "documents": "\n".join(document_lines(found)),
    }


def jump_rows(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the rows of the largest jumps of the loss, and the documents of their steps."""
    if not found["jumps"]:
        return {"run": f"{found['run']}: the logged loss never rose"}
    rows = {"run": f"{found['run']}, {some(found['steps'], 'step')}"}
    for jump in found["jumps"]:
        before, step = jump["previous_step"], jump["step"]
        rise = f"loss {jump['previous_loss']:.4f} at step {before:,}, {jump['loss']:.4f} (+"
        between = f"; steps {before + 1:,} to {step - 1:,} are not logged"
        rows[f"step {step:,}"] = f"{rise}{jump['rise']:.4f})" + between * (step > before + 1)
        rows[f"documents of step {step:,}"] = "\n".join(document_lines(jump))
    return rows


def printable(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step with each text in one line, without what a terminal would obey."""
    shown = [{**row, "text": visible(row["text"].encode())} for row in found["documents"]]
    return {**found, "documents": shown}


def document_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of the documents of a step, shortened."""
    documents = found["documents"]
    rows = documents[:SHOWN_ROWS]
    cells = [
        [
            f"{row['window']:,}",
            row["source"],
            f"{row['row']:,}",
            f"{row['document']:,}",
            f"{row['first_token']:,}",
            f"{row['tokens']:,}",
            shown_text(row["text"]),
        ]
        for row in rows
    ]
    yield from table_lines(
        ["window", "source", "row", "document", "from token", "tokens", "text"], cells
    )
    if len(rows) < len(documents):
        yield f"… and {some(len(documents) - len(rows), 'other')} (-v)"


def shown_text(text: str) -> str:
    r"""Return the beginning of a text in one line, without what a terminal would obey.

    >>> shown_text("a\x1b b"), len(shown_text("a" * 100))
    ('a⟨U+1B⟩ b', 61)
    """
    shown = visible(text[: SHOWN_TEXT + 1].encode())
    return f"{shown[:SHOWN_TEXT]}…" if len(shown) > SHOWN_TEXT else shown
