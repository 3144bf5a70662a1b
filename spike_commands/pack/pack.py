"""`spike pack` and `spike unpack`: a run as one file, and a file as a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from spiketok.atomic_files import check_writable, write_durably
from spiketok.errors import SpikeError

from ..console import (
    OUTPUT,
    PATH,
    Fraction,
    check_new,
    common_options,
    misnamed,
    progress_bar,
    remark,
    use_passive_omp_wait,
)
from ..result_rows import artifact_parts, artifact_rows
from ..results import print_result, result_options, shown_path
from ..score.text import ScoredText, text_of_files
from .calibration import run_hessians
from .inspect import artifact_table
from .ngram_table import counts_table

if TYPE_CHECKING:
    from spike_lm.model.config.quantization import QuantizeConfig
    from spike_lm.model.runs.folder import Run

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
    use_passive_omp_wait()
    from spike_lm.model.artifact.pack import code_bytes, pack_run
    from spike_lm.model.runs.folder import load_run

    if counts_bytes and counts_folder is None:
        raise click.UsageError("--counts-bytes goes with --counts")
    loaded = load_run(run)
    settings = chosen_compression(loaded, changes)
    check_reading(settings.method, own_text, sequences, data_folder)
    out = out or Path(f"{run.resolve().name}.spike")
    check_writable(out)
    check_new(out, "--out")
    text = text_of_files(loaded, texts, quiet) if texts else None
    hessians = None
    if settings.method == "gptq":
        hessians = run_hessians(
            loaded,
            rounded_matrices(loaded, settings),
            data_folder=data_folder,
            own=own_text,
            sequences=sequences,
            quiet=quiet,
        )
    tables = counts_table(loaded, counts_folder, counts_bytes or COUNTS_BYTES, quiet)
    with rounding_progress(loaded, quiet) as report:
        result = pack_run(loaded, settings, hessians, budget=budget, tables=tables, report=report)
    table = artifact_table(result.data)
    if budget is not None and len(result.data) > budget:
        raise_too_large(run, len(result.data), budget, table)
    write_durably(out, result.data)
    scored = scores(loaded, out, text, quiet) if text else {}
    found = {"file": str(out), **scored, **table, "code_bytes": code_bytes(), "budget": budget}
    # Without a named text the data of the run is used, if it still is where it was.
    data = shown_path(Path(loaded.config.data.path))
    scored_on = ("--text", *(texts or ("FILE",)))
    if not texts and (data / "manifest.json").is_file():
        scored_on = ("--data", data)
    following = ("spike", "eval", out, *scored_on)
    print_result(found, as_json, artifact_rows(found), following)


def chosen_compression(run: "Run", changes: dict[str, Any]) -> "QuantizeConfig":
    """Return the compression settings from the run's section and the options."""
    from msgspec.structs import replace

    from spike_lm.model.config.quantization import QuantizeConfig, quantize_problems

    said = {key: value for key, value in changes.items() if value is not None}
    settings = replace(run.config.quantize or QuantizeConfig(bits=QUANTIZE), **said)
    for place, problem in quantize_problems(settings).items():
        raise click.UsageError(f"--{place.removeprefix('quantize.').replace('_', '-')}: {problem}")
    return settings


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


def raise_too_large(run: Path, size: int, budget: int, table: dict[str, Any]) -> NoReturn:
    """Raise an error with the sizes of the parts of a file that does not fit."""
    remark(artifact_parts(table), quiet=False)
    raise SpikeError(
        f"{run}: {size:,} bytes are {size - budget:,} more than the budget; fewer bits in "
        "--bits or a smaller model make it fit"
    )


def rounded_matrices(run: "Run", settings: "QuantizeConfig") -> list[str]:
    """Return the names of the matrices that are quantized to integers."""
    from spike_lm.model.quantization.plan import quantization_plan

    return [name for name, to in quantization_plan(run.model, settings).items() if to.whole]


@contextmanager
def rounding_progress(run: "Run", quiet: bool) -> Iterator[Callable[[str], None]]:
    """Show how many weights are rounded; with a budget the bar begins again with each try."""
    from spike_lm.model.quantization.quantize import needed_tensors

    total, done = len(needed_tensors(run.model)), count()
    with progress_bar("round", total, "weights", quiet) as report:
        yield lambda name: report(next(done) % total + 1, name)


def scores(run: "Run", file: Path, text: ScoredText, quiet: bool) -> dict[str, Any]:
    """Score a text under the artifact, the result, and under the run before compression."""
    from spike_lm.model.artifact.open import open_run

    from ..score.network_score import text_score

    context = run.config.model.context
    windows = {"context": context, "stride": max(1, context // 2)}
    name = run.tokenizer.score_name
    after = text_score(open_run(file), text, windows, quiet)
    # The xz baseline of the same text is known by now.
    before = text_score(run, text, windows, quiet=True)
    beside = {key: after[key] for key in ("xz_bits_per_byte",) if key in after}
    return {name: after[name], f"float_{name}": before[name], **beside}


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
    from .inspect import file_table

    found = {"file": str(file), **file_table(file)}
    print_result(found, as_json, artifact_rows(found))
