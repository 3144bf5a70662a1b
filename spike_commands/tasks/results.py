"""Saved task scores of a model: `evaluation.json`, and `.eval_results/` as the hub reads it."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from spike_lm.model.evaluation.tasks.selection import BY_NAME
from spiketok.atomic_files import make_folder, write_durably
from spiketok.errors import SpikeError
from spiketok.regular_files import check_no_links

from .saved_results import FORMAT, RESULTS, SavedResults, read_results

HUB_FOLDER = ".eval_results"


def save_results(folder: Path, found: Mapping[str, Any]) -> list[str]:
    """Write the scores of a model into its folder, beside those of other tasks.

    Scores of other weights are replaced.

    Args:
        folder: of the model.
        found: the result of `evaluate_tasks`.

    Returns:
        The names of the files written.

    Raises:
        SpikeError: the model is a file, or a file there is a link or not of this kind.
    """
    check_saves(folder)
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    rows = [{**row, "limit": found["limit"], "date": date} for row in found["tasks"]]
    before = read_results(folder)
    kept = before.tasks if before and before.fingerprint == found["fingerprint"] else []
    names = {row["task"] for row in rows}
    saved = SavedResults(
        format=FORMAT,
        spike=version("spike-lm"),
        fingerprint=found["fingerprint"],
        step=found["step"],
        tasks=[row for row in kept if row.get("task") not in names] + rows,
    )
    hub = hub_entries(rows)
    check_no_links([folder / RESULTS, folder / HUB_FOLDER, *(folder / name for name in hub)])
    text = msgspec.json.format(msgspec.json.encode(saved), indent=2)
    write_durably(folder / RESULTS, text + b"\n")
    if hub:
        make_folder(folder / HUB_FOLDER)
    for name, entry in hub.items():
        write_durably(folder / name, entry.encode())
    return [RESULTS, *hub]


def check_saves(folder: Path) -> None:
    """Check, before the work, that results can be saved beside a model.

    Raises:
        SpikeError: the model is a file.
    """
    if not folder.is_dir():
        raise SpikeError(f"{folder}: is no folder; leave out --save-results")


def hub_entries(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the files that the hub reads, content by path: of whole tasks that it has."""
    return {
        f"{HUB_FOLDER}/{row['task']}.yaml": hub_entry(row)
        for row in rows
        if row["task"] in BY_NAME and BY_NAME[row["task"]].hub_task and not row["limit"]
    }


def hub_entry(row: Mapping[str, Any]) -> str:
    """Return the YAML of a score, as the hub reads it from `.eval_results/`.

    >>> row = {"task": "piqa", "acc": 0.5, "acc_error": 0.01, "items": 9, "border": "joint"}
    >>> print(hub_entry({**row, "date": "2026-01-31"}).splitlines()[1])
        id: "baber/piqa"
    """
    task = BY_NAME[row["task"]]
    dataset, _, name = task.hub_task.partition(":")
    metric = task.metrics[0]
    notes = (
        f"{metric} as a share, ± {row[f'{metric}_error']:.4f} of {row['items']} items; zero-shot "
        f"log-likelihood, spike {version('spike-lm')}, border {row['border']}"
    )
    if "acc_norm" in row:
        notes += f"; acc_norm {row['acc_norm']:.4f}"
    lines = [
        "- dataset:",
        f"    id: {quoted(dataset)}",
        f"    task_id: {quoted(name)}",
        f"  value: {row[metric]:.6f}",
        f"  date: {quoted(row['date'])}",
        f"  notes: {quoted(notes)}",
    ]
    return "\n".join([*lines, ""])


def quoted(text: str) -> str:
    """Return a text as a YAML scalar; JSON strings are such."""
    return json.dumps(text)
