"""Packing of a run into one file, as `spike pack` does it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from spike_lm.model.artifact.inspect import artifact_table
from spike_lm.model.artifact.ngram_table import counts_that_fit
from spike_lm.model.artifact.open import open_run
from spike_lm.model.artifact.pack import code_bytes, pack_run
from spike_lm.model.config.mixing import PredictorSettings
from spike_lm.model.config.quantization import QuantizeConfig, quantize_problems
from spike_lm.model.families.parameter_roles import exported_state
from spike_lm.model.quantization.plan import quantization_plan
from spike_lm.model.runs.folder import Run, load_run
from spike_lm.model.scoring.predictor_spec import COUNTS
from spike_lm.model.scoring.sliding_windows import default_windows
from spiketok.atomic_files import check_writable, write_durably
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..output_paths import check_new
from ..score.network_score import text_score
from ..score.predictor import learned_counts
from ..score.text import ScoredText, text_of_files
from .calibration import run_hessians


class TooLargeError(SpikeError):
    """File that exceeds its budget.

    Attributes:
        table: the sizes of its parts.
    """

    def __init__(self, message: str, table: dict[str, Any]) -> None:
        super().__init__(message)
        self.table = table


def pack_to_file(
    run: Run,
    out: Path,
    settings: QuantizeConfig,
    *,
    name: str,
    budget: int | None = None,
    calibration: Mapping[str, Any] | None = None,
    counts_folder: Path | None = None,
    counts_bytes: int = 1_000_000,
    texts: Sequence[Path] = (),
    with_xz: bool = True,
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Quantize a run and write it as one file, with its tokenizer and configuration.

    Args:
        run: from `load_run`.
        out: the file to write; must not exist.
        settings: bits, method and corrections.
        name: of the run, for messages.
        budget: bytes that the file may have.
        calibration: arguments of `run_hessians`: what GPTQ reads.
        counts_folder: shards whose n-gram counts are put in.
        counts_bytes: bytes that these may take.
        texts: files to score before and after.
        with_xz: also compress them with `xz -9`, for comparison.
        show: callbacks for progress and remarks.

    Returns:
        The object of `spike pack --json`.

    Raises:
        TooLargeError: the file exceeds the budget; nothing is written.
        SpikeError: shards do not fit the run, or a file cannot be read or written.
    """
    check_writable(out)
    check_new(out, "--out")
    text = text_of_files(run, texts, show) if texts else None
    hessians = None
    if settings.method == "gptq":
        whole = rounded_matrices(run, settings)
        hessians = run_hessians(run, whole, **(calibration or {}), show=show)
    tables = counts_table(run, counts_folder, counts_bytes, show)
    with rounding_progress(run, show) as report:
        result = pack_run(run, settings, hessians, budget=budget, tables=tables, report=report)
    table, size = artifact_table(result.data), len(result.data)
    if budget is not None and size > budget:
        raise TooLargeError(
            f"{name}: {size:,} bytes are {size - budget:,} more than the budget; use fewer "
            "bits (--bits) or a smaller model",
            table,
        )
    write_durably(out, result.data)
    scored = scores(run, out, text, with_xz, show) if text else {}
    return {"file": str(out), **scored, **table, "code_bytes": code_bytes(), "budget": budget}


def open_with_settings(
    folder: Path, bits: str, changes: Mapping[str, Any]
) -> tuple[Run, QuantizeConfig, dict[str, str]]:
    """Return a run, the settings of its section `[quantize]` with changes, and their faults.

    Args:
        folder: of the run.
        bits: those of a run without the section.
        changes: the keys to change; those that are None stay.
    """
    run = load_run(folder)
    said = {key: value for key, value in changes.items() if value is not None}
    settings = replace(run.config.quantize or QuantizeConfig(bits=bits), **said)
    return run, settings, quantize_problems(settings)


def rounded_matrices(run: Run, settings: QuantizeConfig) -> list[str]:
    """Return the names of the matrices that are quantized to integers."""
    return [name for name, to in quantization_plan(run.model, settings).items() if to.is_integer]


def counts_table(run: Run, folder: Path | None, most: int, show: Callbacks) -> dict[str, bytes]:
    """Return the table of counts of a training split that fits; none without shards.

    Args:
        run: the run.
        folder: shards to count; None: no counts.
        most: largest size in bytes.
        show: callbacks for progress and remarks.
    """
    if folder is None:
        return {}
    counts, _ = learned_counts(run, folder, PredictorSettings().lengths[-1], show)
    table, min_count = counts_that_fit(counts, most)
    show.remark(f"kept n-grams that occur at least {min_count} times, to fit {most:,} bytes")
    return {COUNTS: table}


@contextmanager
def rounding_progress(run: Run, show: Callbacks) -> Iterator[Callable[[str], None]]:
    """Show how many weights are rounded; with a budget the bar begins again with each try."""
    total, done = len(exported_state(run.model)), count()
    with show.progress("round", total, "weights") as report:
        yield lambda name: report(next(done) % total + 1, name)


def scores(
    run: Run, file: Path, text: ScoredText, with_xz: bool, show: Callbacks
) -> dict[str, Any]:
    """Score a text under the artifact, the result, and under the run before compression.

    Args:
        run: the run before packing.
        file: the artifact.
        text: the encoded text.
        with_xz: also compute the xz baseline.
        show: callbacks for progress and remarks.
    """
    windows = default_windows(run.model)
    name = run.tokenizer.score_name
    after = text_score(open_run(file), text, windows, with_xz=with_xz, show=show)
    # The xz baseline of the same text is known by now.
    before = text_score(run, text, windows, with_xz=False)
    beside = {key: after[key] for key in ("xz_bits_per_byte",) if key in after}
    return {name: after[name], f"float_{name}": before[name], **beside}
