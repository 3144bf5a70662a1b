"""`spike pack` and `spike unpack`: a run as one file, and a file as a run."""

from pathlib import Path
from typing import Any

import click

from ..console import (
    OUTPUT,
    PATH,
    Fraction,
    callbacks,
    common_options,
    misnamed,
    remark,
    use_passive_omp_wait,
)
from ..result_rows import artifact_parts, artifact_rows
from ..results import print_result, result_options, shown_path

QUANTIZE = "mlp=int5,attn=int6,embed=int8"
COUNTS_BYTES = 1_000_000


@click.command()
@click.argument("run", type=PATH)
@click.option("--out", type=OUTPUT, help="The file to write; else the run's name and .spike.")
@click.option("--budget", type=click.IntRange(1), help="Bytes that the file may have.")
@click.option(
    "--bits",
    metavar="PART=BITS,…",
    help="Bits of the parts mlp, attn, embed, other; float16 is what is not named. Without the "
    f"option the run's, else {QUANTIZE}.",
)
@click.option("--clip", help="Largest number of a row: search, max, percentile=…, std=….")
@click.option(
    "--method",
    type=click.Choice(["gptq", "rtn"]),
    help="gptq: errors make up for one another, by training text; rtn: round each weight.",
)
@click.option("--sparsity", type=Fraction(0, 1, max_open=True), help="Share made zero.")
@click.option(
    "--correction-rank",
    type=click.IntRange(0, 64),
    help="Correct each matrix by a product of this rank, of four bits.",
)
@click.option("--data", "data_folder", type=PATH, help="gptq: shards; else the run's.")
@click.option(
    "--calibrate-on-samples",
    "own_text",
    is_flag=True,
    help="gptq: read what the model writes, no shards.",
)
@click.option(
    "--calibration-sequences",
    "sequences",
    type=click.IntRange(1),
    help="gptq: how many to read, each a context long; else as many as hold 32,768 tokens.",
)
@click.option(
    "--counts",
    "counts_folder",
    type=PATH,
    metavar="SHARDS",
    help="Put in counts of these shards' training split, for --with ngram of other commands.",
)
@click.option(
    "--counts-bytes",
    type=click.IntRange(1),
    help=f"--counts: bytes that they may take; else {COUNTS_BYTES:,}.",
)
@click.option("--text", "texts", multiple=True, type=PATH, help="Score this before and after.")
@result_options
@common_options
def pack(
    run: Path,
    out: Path | None,
    budget: int | None,
    data_folder: Path | None,
    own_text: bool,
    sequences: int | None,
    counts_folder: Path | None,
    counts_bytes: int | None,
    texts: tuple[Path, ...],
    as_json: bool,
    quiet: bool,
    **changes: Any,
) -> None:
    """Write RUN as one file that has all it needs: weights, tokenizer, configuration.

    What is not said here is taken from the run's section [quantize]. With a budget the step of
    each matrix is chosen so that the file fits and the error is least; a file that does not fit is
    not written. docs/quantization.md tells more.

    \b
    Examples:
      spike pack runs/base
      spike pack runs/bese-golf --budget 16000000 --bits "mlp=int5,attn=int6,embed=fp16"
      spike pack runs/base --method rtn --text book.txt --json
      spike pack runs/base --budget 4000000 --counts data/ --counts-bytes 2000000
    """
    if counts_bytes and counts_folder is None:
        raise click.UsageError("--counts-bytes goes with --counts")
    use_passive_omp_wait()
    from .recipe import TooLargeError, open_with_settings, pack_to_file

    loaded, settings, problems = open_with_settings(run, QUANTIZE, changes)
    for place, problem in problems.items():
        raise click.UsageError(f"--{place.removeprefix('quantize.').replace('_', '-')}: {problem}")
    check_reading(settings.method, own_text, sequences, data_folder)
    out = out or Path(f"{run.resolve().name}.spike")
    try:
        found = pack_to_file(
            loaded,
            out,
            settings,
            name=str(run),
            budget=budget,
            calibration={"data_folder": data_folder, "own": own_text, "sequences": sequences},
            counts_folder=counts_folder,
            counts_bytes=counts_bytes or COUNTS_BYTES,
            texts=texts,
            with_xz=not quiet,
            show=callbacks(quiet),
        )
    except TooLargeError as error:
        remark(artifact_parts(error.table), quiet=False)
        raise
    # Without a named text the data of the run is used, if it still is where it was.
    data = shown_path(Path(loaded.config.data.path))
    scored_on = ("--text", *(texts or ("FILE",)))
    if not texts and (data / "manifest.json").is_file():
        scored_on = ("--data", data)
    following = ("spike", "eval", out, *scored_on)
    print_result(found, as_json, artifact_rows(found), following)


def check_reading(
    method: str, own_text: bool, sequences: int | None, data_folder: Path | None
) -> None:
    """Check that options of the text for gptq fit the method and each other."""
    if own_text and data_folder is not None:
        raise click.UsageError("--calibrate-on-samples reads no shards; leave --data out")
    if method == "rtn" and (own_text or sequences or data_folder):
        raise click.UsageError(
            "--calibrate-on-samples, --calibration-sequences and --data go with --method gptq"
        )


@click.command()
@click.argument("file", type=PATH)
@misnamed("--out", "--to")
@click.option("--to", "folder", type=OUTPUT, required=True, help="The run folder to make.")
@result_options
@common_options
def unpack(
    file: Path,
    folder: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make a run folder of artifact FILE, with its weights as float32.

    \b
    Example:
      spike unpack base.spike --to runs/unpacked
    """
    from spike_lm.model.artifact.open import unpack_artifact

    run = unpack_artifact(file, folder)
    found = {"run": str(folder), "step": run.step}
    for name in run.tables:
        remark(
            f"{file}: the {name} stay in the artifact; a run folder has no place for them", quiet
        )
    rows = {"run": f"{folder}, step {run.step:,}"}
    print_result(found, as_json, rows, ("spike", "generate", folder))


@click.command()
@click.argument("file", type=PATH)
@result_options
@common_options
def inspect(
    file: Path,
    as_json: bool,
    quiet: bool,  # noqa: ARG001
) -> None:
    """Show where the bytes of artifact FILE go, beside the entropy of what is stored.

    The entropy is of order 0: of codes by themselves, of floating-point numbers byte by byte.

    \b
    Examples:
      spike inspect base.spike
      spike inspect base.spike --json
    """
    from spike_lm.model.artifact.inspect import file_table

    found = {"file": str(file), **file_table(file)}
    print_result(found, as_json, artifact_rows(found))
