"""Task scores in a model card: the table, what training has seen of it, and its conventions."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spike_lm.model.evaluation.tasks.selection import BY_NAME
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from .model_identity import is_run, model_fingerprint
from .results import hub_entries
from .saved_results import FIX, RESULTS, SavedResults, read_results
from .task_rows import markdown_rows

Row = Mapping[str, Any]


def card_scores(run: Path, show: Callbacks = SILENT) -> tuple[str, dict[str, str]]:
    """Return the Markdown of a run's saved scores, and the files that the hub reads, by path.

    Both are empty without scores of the newest weights.

    Args:
        run: folder of the run.
        show: callbacks for remarks.

    Raises:
        SpikeError: the saved scores cannot be read.
    """
    saved = read_results(run) if is_run(run) else None
    if saved is None:
        return "", {}
    if saved.fingerprint != model_fingerprint(run):
        show.remark(
            f"{run / RESULTS}: its scores are of other weights and left out; score the tasks again"
        )
        return "", {}
    try:
        return "\n".join(section(saved)), hub_entries(saved.tasks)
    except (KeyError, TypeError, ValueError, AttributeError):
        fault = "cannot be read: a task lacks a field, or has one of another type"
        raise SpikeError(f"{run / RESULTS}: {fault}; {FIX}") from None


def section(saved: SavedResults) -> Iterator[str]:
    """Yield the lines of the card's section on tasks."""
    step = "" if saved.step is None else f" at step {saved.step:,}"
    yield "## Evaluation"
    yield ""
    yield from markdown_rows({"tasks": saved.tasks})
    yield ""
    yield (
        f"Zero-shot log-likelihood{step} by spike {saved.spike}. `acc` takes the "
        "choice with the largest log-likelihood, `acc_norm` per character as lm-evaluation-harness "
        "does, `acc_bytes` per UTF-8 byte. `stderr` is the binomial error of `acc`; differences "
        "below 0.02 are noise."
    )
    yield ""
    yield from (f"- {note}" for row in saved.tasks for note in notes(row))


def notes(row: Row) -> Sequence[str]:
    """Return what a reader must know of the score of a task."""
    name = row["task"]
    parts = [BY_NAME[name].summary if name in BY_NAME else "items of the author's own file"]
    if row["kind"] != "text":
        parts.append(f"chance {row['chance']:.3f}" if "chance" in row else "")
        crossing = f"in {row['crossing']:,} items a token crosses it" if row.get("crossing") else ""
        parts.append(", ".join(filter(None, [f"border {row['border']}", crossing])))
    parts.append(f"context {row['context']:,}")
    if row.get("truncated"):
        parts.append(f"{row['truncated']:,} items did not fit it and lost their first tokens")
    if row["limit"]:
        unit = "lines" if row["kind"] == "text" else "items"
        parts.append(f"**only the first {row['limit']:,} {unit}**")
    left = ", ".join(f"{number:,} {why}" for why, number in row.get("left_out", {}).items())
    parts.append(f"left out: {left}" if left else "")
    parts.append("**its data were changed**" if row["changed_data"] else "")
    parts.append(seen(row))
    return [f"{name}: {'; '.join(filter(None, parts))}."]


def seen(row: Row) -> str:
    """Return the share of a task's text that the training split has."""
    found = row.get("overlap")
    if not found:
        return "overlap with the training text is not known"
    return (
        f"{found['byte_windows_seen']:,} of {found['byte_windows']:,} windows of 50 bytes and "
        f"{found['token_windows_seen']:,} of {found['token_windows']:,} of 13 tokens seen in "
        "training"
    )
