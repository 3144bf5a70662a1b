"""`spike runs`: list the runs of a folder."""

import shutil
from pathlib import Path

import click

from ..console import PATH, common_options
from ..results import print_lines, print_result, result_options


@click.command(short_help="List runs: state, scores, lineage.")
@click.argument("folder", default=Path("runs"), type=PATH, metavar="[DIR]")
@result_options
@common_options
def runs(folder: Path, as_json: bool, quiet: bool) -> None:  # noqa: ARG001
    """List the runs of DIR, by default runs/: state, step, loss, bits per byte, lineage.

    A run is running while its training runs, finished after its last step, else interrupted;
    weights were unpacked or imported. A damaged run is listed with the reason. Only small files
    are read: no weights.

    \b
    Examples:
      spike runs
      spike runs experiments/ --json
    """
    from .run_rows import as_members, run_lines
    from .run_summary import find_runs, summaries

    found = summaries(find_runs(folder))
    if as_json:
        print_result({"runs": [as_members(run) for run in found]}, as_json)
        return
    print_lines(run_lines(found, folder, shutil.get_terminal_size().columns))
