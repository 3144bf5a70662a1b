"""Overlap of evaluation tasks with a training split: items whose text the model was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datapipe import read_manifest
from datapipe.overlap.training_overlap import Overlap, total_overlap, training_overlap
from spike_lm.model.evaluation.items import Item

from ..callbacks import SILENT, Callbacks
from .task_files import TaskData


def item_text(item: Item) -> bytes:
    """Return the text of an item as it is scored: the context and the right continuation."""
    request = item.requests[min(item.label, len(item.requests) - 1)]
    return (request.context + request.continuation).encode()


def task_texts(data: TaskData) -> list[bytes]:
    """Return the texts of a task as they are scored: one of each item, or the task's text."""
    if data.task.kind == "text":
        return [data.text]
    return [item_text(item) for item in data.items]


def task_overlaps(
    data: Sequence[TaskData], shards: Path, show: Callbacks = SILENT
) -> dict[str, list[Overlap]]:
    """Return the overlap of each item of tasks with a training split, by task.

    A task on text has one text. All texts are looked up in one pass over the shards.

    Args:
        data: of the tasks.
        shards: a shard folder.
        show: callbacks for progress.

    Raises:
        SpikeError: the shards are unfinished or damaged.
    """
    texts, sizes = [], []
    for one in data:
        own = task_texts(one)
        texts += own
        sizes.append(len(own))
    total = read_manifest(shards).splits["train"].tokens
    with show.progress("overlap", total, "tokens") as report:
        found = training_overlap(shards, texts, report=lambda done: report(done, ""))
    overlaps, begin = {}, 0
    for one, size in zip(data, sizes, strict=True):
        overlaps[one.task.name] = found[begin : begin + size]
        begin += size
    return overlaps


def overlap_numbers(overlaps: Sequence[Overlap]) -> dict[str, Any]:
    """Return the windows of a task, those seen in training, and the texts with any of them."""
    total = total_overlap(overlaps)
    return {
        "byte_windows": total.byte_windows,
        "byte_windows_seen": total.byte_windows_seen,
        "token_windows": total.token_windows,
        "token_windows_seen": total.token_windows_seen,
        "texts": len(overlaps),
        "texts_seen": sum(one.is_seen for one in overlaps),
    }
