"""`spike import`: a folder that `spike export model` wrote, as a run again."""

from pathlib import Path

import click

from ..console import OUTPUT, PATH, common_options, misnamed, use_passive_omp_wait
from ..results import print_result, result_options


@click.command("import")
@click.argument("folder", type=PATH)
@misnamed("--out", "--to")
@click.option(
    "--to", "run", type=OUTPUT, required=True, help="Run folder to write; must be empty or new."
)
@result_options
@common_options
def import_folder(
    folder: Path,
    run: Path,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Convert FOLDER, a model that spike export model wrote, to a run folder.

    Weights are equal bit for bit. Code in the folder is never run. A model that was trained further
    in transformers and written by save_pretrained becomes a run at step 0. Optimiser state and
    training-only heads are not exported, so the run can be scored and sampled, but not resumed.

    \b
    Examples:
      spike import my-model/ --to runs/back
      spike import my-model/ --to runs/back --json
    """
    use_passive_omp_wait()
    from .model_import import import_to_run

    found = import_to_run(folder, run)
    rows = {
        "run": f"{run}, step {found['step']:,}",
        "parameters": f"{found['parameters']:,}",
        "vocabulary": f"{found['vocab_size']:,} ids",
    }
    print_result(found, as_json, rows, ("spike", "generate", run))
