"""`spike data`: inspect, verify and search token shards."""

from pathlib import Path

import click

from spiketok.errors import SpikeError

from ..console import PATH, common_options, progress_bar, remark
from ..result_rows import shard_rows
from ..results import print_result, result_options
from .at import at
from .overlap import overlap


@click.group()
def data() -> None:
    """Inspect, verify and search token shards; documents of a step."""


data.add_command(overlap)
data.add_command(at)


@data.command(short_help="Show the contents of a shard folder.")
@click.argument("folder", type=PATH)
@click.option(
    "--document", type=click.IntRange(0), help="Show the document with this number, from 0."
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation"]),
    default="train",
    show_default=True,
    help="Split of --document.",
)
@result_options
@common_options
def inspect(
    folder: Path,
    document: int | None,
    split: str,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Show the contents of a shard FOLDER, or one of its documents.

    \b
    Examples:
      spike data inspect data/
      spike data inspect data/ --document 0 --split validation
    """
    from datapipe import describe, show_document

    if document is None:
        found = describe(folder)
        print_result(found, as_json, shard_rows(folder, found))
    else:
        print_result(show_document(folder, split, document), as_json)


@data.command(short_help="Check every byte of a shard folder.")
@click.argument("folder", type=PATH)
@result_options
@common_options
def verify(folder: Path, as_json: bool, quiet: bool) -> None:
    """Check every byte of a shard FOLDER; exit 1 and name the damaged files if there are any.

    \b
    Example:
      spike data verify data/
    """
    from datapipe import verify_folder

    shards = [shard for shard in folder.glob("*.arrow") if shard.is_file()]
    size = sum(shard.stat().st_size for shard in shards) / 1e6
    with progress_bar("verify", size, "MB", quiet) as report:
        damages = verify_folder(folder, lambda checked: report(checked / 1e6, ""))
    if as_json or not damages:
        found = {"folder": str(folder), "intact": not damages, "damages": damages}
        print_result(found, as_json, {str(folder): "intact, every byte checked"})
    if damages:
        for damage in damages[:-1]:
            remark(damage, quiet)
        raise SpikeError(damages[-1])
