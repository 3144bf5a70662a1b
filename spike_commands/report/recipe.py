"""Report on runs as one self-contained page, as `spike report` does it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spike_lm.model.config.schema import Config
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import count_parameters
from spike_lm.model.runs.lineage import TOKENIZER, part_of
from spiketok import Tokenizer
from spiketok.atomic_files import write_durably
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from .artifact_size import artifact_of
from .data_statistics import data_statistics
from .item_comparison import compare_items, read_item_file
from .page import page
from .run_comparison import RunRecord, compare_runs, read_run
from .run_rows import as_members
from .run_summary import RunSummary, summaries
from .samples import logged_samples, new_samples, repeats
from .scaling_law import scaling_law
from .series import series_of
from .text_comparison import compare_on_text


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Options of `spike report`, which is where they are described.

    Attributes:
        artifacts: packed models of the runs.
        items: files of `spike eval --items`, one for each run; none: items are not compared.
        texts: text on which runs are compared with the first one.
        split_text: how a long text becomes documents.
        prompts: continued with each run now; none: the samples of the training are shown.
        seed: of these continuations.
        sample_tokens: largest number of tokens of each.
        with_data: read the shards: statistics, and passages that samples repeat.
        device: auto, cpu or cuda.
    """

    artifacts: Sequence[Path] = ()
    items: Sequence[Path] = ()
    texts: Sequence[Path] = ()
    split_text: str = "auto"
    prompts: Sequence[str] = ()
    seed: int = 0
    sample_tokens: int = 100
    with_data: bool = True
    device: str = "auto"


USUAL = ReportSettings()


def write_report(
    runs: Sequence[Path], out: Path, how: ReportSettings = USUAL, show: Callbacks = SILENT
) -> dict[str, Any]:
    """Write a report on runs; differences are those of each run minus the first.

    A run that cannot be read is in the report with its reason, unless it is the only one.

    Args:
        runs: run folders.
        out: the page to write.
        how: the options.
        show: callbacks for progress and remarks.

    Returns:
        The object of `spike report --json`.

    Raises:
        SpikeError: no run can be read, or a text or artifact that was named.
    """
    if how.items and len(how.items) != len(runs):
        raise SpikeError(
            f"--items: {len(how.items)} files for {len(runs)} runs; name one for each run, in order"
        )
    found = summaries(runs)
    damaged = [run for run in found if run.state == "damaged"]
    if len(damaged) == len(found):
        raise SpikeError(damaged[0].reason)
    for run in damaged:
        show.remark(f"{run.reason} (the report lists the run without its numbers)")
    records = {run.folder: read_run(run.folder) for run in found if run.state != "damaged"}
    parts = [run_part(run, records.get(run.folder), how, show) for run in found]
    compared = pairs(list(records), dict(zip(runs, how.items, strict=False)), how, show)
    names = short_names(runs)
    for part in parts:
        part["name"] = names[part["run"]]
    for pair in compared:
        pair["runs"] = [names[run] for run in pair["runs"]]
    data: dict[str, Any] = {
        "spike": version("spike-lm"),
        "runs": parts,
        "data": all_data(list(records.values()), show) if how.with_data else {},
        "pairs": compared,
    }
    content = page(data)
    write_durably(out, content)
    return {
        "file": str(out),
        "bytes": len(content),
        "runs": [{"run": str(run.folder), "state": run.state} for run in found],
    }


def short_names(runs: Sequence[Path]) -> dict[str, str]:
    """Return the last parts of the runs' paths, or whole paths where these are not distinct.

    >>> short_names([Path("a/one"), Path("b/two")])
    {'a/one': 'one', 'b/two': 'two'}
    """
    last = [run.resolve().name for run in runs]
    distinct = len(set(last)) == len(last)
    return {str(run): name if distinct else str(run) for run, name in zip(runs, last, strict=True)}


def run_part(
    summary: RunSummary, record: RunRecord | None, how: ReportSettings, show: Callbacks
) -> dict[str, Any]:
    """Return the part of a report on one run.

    Args:
        summary: of the run.
        record: its small files; None of a damaged run.
        how: the options.
        show: callbacks for progress.
    """
    part = as_members(summary)
    if record is None:
        return part
    samples = logged_samples(record.metrics)
    if how.prompts:
        samples = new_samples(summary.folder, how.prompts, how.seed, how.sample_tokens)
    part |= {
        "size": size_of(record.config, summary.folder),
        "series": series_of(record.metrics),
        "samples": samples,
        "scaling": scaling_law(summary.folder),
        "artifact": artifact_of(summary.folder, record.lineage, summary.step, how.artifacts),
    }
    if samples and how.with_data:
        part["repeats"] = repeats(Path(record.config.data.path), samples[-1]["text"], show)
    return part


def size_of(config: Config, folder: Path) -> dict[str, Any]:
    """Return parameters, FLOPs and batch of a run.

    Raises:
        SpikeError: the tokenizer cannot be read.
    """
    tokenizer = Tokenizer.load(part_of(folder, TOKENIZER))
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, device="meta")
    return {
        "parameters": count_parameters(model),
        "flops_per_token": model.flops_per_token(),
        "vocab_size": tokenizer.vocab_size,
        "context": config.model.context,
        "batch_tokens": config.train.batch_size * config.model.context,
    }


def all_data(records: Sequence[RunRecord], show: Callbacks) -> Mapping[str, Any]:
    """Return the statistics of the runs' data, each once, by fingerprint."""
    folders = {
        record.lineage.fingerprints["data"]: Path(record.config.data.path)
        for record in records
        if "data" in record.lineage.fingerprints
    }
    return {
        fingerprint: data_statistics(folder, fingerprint, show)
        for fingerprint, folder in folders.items()
    }


def pairs(
    runs: Sequence[Path], items: Mapping[Path, Path], how: ReportSettings, show: Callbacks
) -> list[dict[str, Any]]:
    """Return the comparisons of each run with the first one.

    Args:
        runs: those that can be read.
        items: files of single items, by run.
        how: the options.
        show: callbacks for progress.
    """
    found = []
    for other in runs[1:]:
        pair = compare_runs(runs[0], other)
        if how.texts:
            both = (runs[0], other)
            pair["text"] = compare_on_text(both, how.texts, how.split_text, how.device, show)
        if items:
            first, second = (read_item_file(items[run], run) for run in (runs[0], other))
            pair["items"] = compare_items(first, second)
        found.append(pair)
    return found
