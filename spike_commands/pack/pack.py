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
@click.option("--out", type=OUTPUT, help="File to write.  [default: the run's name and .spike]")
@click.option("--budget", type=click.IntRange(1), help="Largest size of the file, in bytes.")
@click.option(
    "--bits",
    metavar="PART=BITS,…",
    help="Bits of the parts mlp, attn, embed and other; float16 for parts not named.  "
    f"[default: as in the run's configuration, else {QUANTIZE}]",
)
@click.option("--clip", help="Clip value of each row: search, max, percentile=… or std=….")
@click.option(
    "--method",
    type=click.Choice(["gptq", "rtn"]),
    help="gptq: GPTQ with calibration text; rtn: round each weight to nearest.",
)
@click.option(
    "--sparsity",
    type=Fraction(0, 1, max_open=True),
    help="Share of the weights to prune, the smallest.",
)
@click.option(
    "--correction-rank",
    type=click.IntRange(0, 64),
    help="Rank of a low-rank correction of the rounding errors, in int4; 0: none.",
)
@click.option(
    "--data", "data_folder", type=PATH, help="gptq: calibration shards.  [default: the run's]"
)
@click.option(
    "--calibrate-on-samples",
    "own_text",
    is_flag=True,
    help="gptq: calibrate on samples of the model, not on shards.",
)
@click.option(
    "--calibration-sequences",
    "sequences",
    type=click.IntRange(1),
    help="gptq: sequences of the context's length to read.  [default: 32,768 tokens in all]",
)
@click.option(
    "--counts",
    "counts_folder",
    type=PATH,
    metavar="SHARDS",
    help="Add n-gram counts of these shards' training split, for --with ngram of other commands.",
)
@click.option(
    "--counts-bytes",
    type=click.IntRange(1),
    help=f"--counts: largest size of the counts.  [default: {COUNTS_BYTES:,}]",
)
@click.option(
    "--text",
    "texts",
    multiple=True,
    type=PATH,
    help="Text to score before and after packing; may be repeated.",
)
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
    """Pack RUN into one file, an artifact: quantized weights, tokenizer and configuration.

    Options that are not given are taken from the section [quantize] of the run's configuration.
    With --budget, the quantization step of each matrix is chosen so that the file fits and the
    error is least; a file that does not fit is not written. docs/quantization.md has the details.

    \b
    Examples:
      spike pack runs/base
      spike pack runs/bese-golf --budget 16000000 --bits "mlp=int5,attn=int6,embed=fp16"
      spike pack runs/base --method rtn --text book.txt --json
      spike pack runs/base --budget 4000000 --counts data/ --counts-bytes 2000000
    """
    if counts_bytes and counts_folder is None:
        raise click.UsageError(
            "--counts-bytes goes with --counts; add it or leave --counts-bytes out"
        )
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
    """Check that options of the text for gptq fit the method and each other.

    Args:
        method: of quantization.
        own_text: whether samples of the model are read.
        sequences: number of sequences; None: the default.
        data_folder: shards; None: the default.

    Raises:
        UsageError: they do not fit.
    """
    if own_text and data_folder is not None:
        raise click.UsageError("--calibrate-on-samples reads no shards; leave --data out")
    if method == "rtn" and (own_text or sequences or data_folder):
        raise click.UsageError(
            "--calibrate-on-samples, --calibration-sequences and --data go with --method gptq; "
            "leave them out"
        )


@click.command()
@click.argument("file", type=PATH)
@misnamed("--out", "--to")
@click.option(
    "--to", "folder", type=OUTPUT, required=True, help="Run folder to write; must be empty or new."
)
@result_options
@common_options
def unpack(
    file: Path,
    folder: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Convert artifact FILE to a run folder, with its weights as float32.

    \b
    Example:
      spike unpack base.spike --to runs/unpacked
    """
    from spike_lm.model.artifact.open import unpack_artifact

    run = unpack_artifact(file, folder)
    found = {"run": str(folder), "step": run.step}
    for name in run.tables:
        remark(f"{file}: the {name} are left out; run folders cannot hold them", quiet)
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
    """Show the sizes of the parts of artifact FILE, and the entropy of their values.

    The entropy is of order 0, over quantized codes and over the bytes of floating-point numbers.

    \b
    Examples:
      spike inspect base.spike
      spike inspect base.spike --json
    """
    from spike_lm.model.artifact.inspect import file_table

    found = {"file": str(file), **file_table(file)}
    print_result(found, as_json, artifact_rows(found))
