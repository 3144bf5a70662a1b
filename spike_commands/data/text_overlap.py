"""Overlap of texts with a shard folder, as `spike data overlap` reports it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datapipe import Overlap, read_manifest, total_overlap, training_overlap
from datapipe.overlap.training_overlap import BYTE_WINDOW, TOKEN_WINDOW
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from ..tasks.named_tasks import read_tasks
from ..tasks.overlap import task_texts
from ..tasks.task_files import HubReader
from .documents import read_documents


@dataclass(frozen=True, slots=True)
class CheckedText:
    """Text to look for in shards: its bytes, its source, and its number there."""

    content: bytes
    source: str
    number: int


def overlap_of_files(
    folder: Path,
    paths: Sequence[Path],
    split: str = "train",
    show: Callbacks = SILENT,
    **reads: Any,
) -> dict[str, Any]:
    """Count the windows of texts in files that occur in a split of a shard folder.

    Args:
        folder: the shards.
        paths: files, folders and patterns.
        split: `train` or `validation`.
        show: callbacks for progress and remarks.
        reads: options of `read_documents`.

    Returns:
        The object of `spike data overlap --json`.

    Raises:
        SpikeError: a file or the shards cannot be read, or there is no text.
    """
    read_manifest(folder)  # before much text is read
    texts: list[CheckedText] = []
    counts: dict[str, int] = {}
    for document in read_documents(paths, show, **reads):
        number = counts[document.source] = counts.get(document.source, -1) + 1
        texts.append(CheckedText(document.text, document.source, number))
    if not any(text.content for text in texts):
        raise SpikeError(f"{paths[0]}: there is no text; name a file with text")
    return overlap_of_texts(folder, texts, split, show)


def overlap_of_tasks(
    folder: Path,
    names: Sequence[str],
    task_data: Path,
    split: str = "train",
    show: Callbacks = SILENT,
    hub: HubReader | None = None,
) -> dict[str, Any]:
    """Count the windows of evaluation tasks that occur in a split of a shard folder.

    The text of an item is its context and the right continuation.

    Args:
        folder: the shards.
        names: of tasks, suites and files of items, as `spike eval --tasks` takes them.
        task_data: folder of the tasks' files.
        split: `train` or `validation`.
        show: callbacks for progress and remarks.
        hub: reads the tasks from the hub instead of files.

    Returns:
        The object of `spike data overlap --json`; its sources are the tasks.

    Raises:
        SpikeError: a task is unknown, its data are missing, or the shards cannot be read.
    """
    read_manifest(folder)  # before much text is read
    tasks, missing = read_tasks(names, task_data, hub=hub)
    for fault in missing.values():
        show.remark(f"left out {fault}")
    texts = [
        CheckedText(content, one.task.name, number)
        for one in tasks
        for number, content in enumerate(task_texts(one))
    ]
    return overlap_of_texts(folder, texts, split, show)


def overlap_of_texts(
    folder: Path, texts: Sequence[CheckedText], split: str = "train", show: Callbacks = SILENT
) -> dict[str, Any]:
    """Count the windows of texts that occur in a split of a shard folder.

    Args:
        folder: the shards.
        texts: at least one.
        split: `train` or `validation`.
        show: callback for progress.

    Returns:
        The object of `spike data overlap --json`.

    Raises:
        SpikeError: the shards cannot be read.
    """
    tokens = read_manifest(folder).splits[split].tokens
    with show.progress("search", tokens / 1e6, "M tokens") as report:
        found = training_overlap(
            folder,
            [text.content for text in texts],
            split=split,
            report=lambda done: report(done / 1e6, ""),
        )
    by_source: dict[str, list[Overlap]] = {}
    for text, one in zip(texts, found, strict=True):
        by_source.setdefault(text.source, []).append(one)
    return {
        "folder": str(folder),
        "split": split,
        "tokens": tokens,
        "token_window": TOKEN_WINDOW,
        "byte_window": BYTE_WINDOW,
        **summary(found),
        "sources": [{"source": source, **summary(own)} for source, own in by_source.items()],
        "each_text": [
            {
                "source": text.source,
                "number": text.number,
                "bytes": len(text.content),
                **asdict(one),
            }
            for text, one in zip(texts, found, strict=True)
        ],
    }


def summary(found: Sequence[Overlap]) -> dict[str, Any]:
    """Return the sums of overlaps, their shares, and the number of texts with any window seen."""
    total = total_overlap(found)
    return {
        "texts": len(found),
        "texts_seen": sum(one.is_seen for one in found),
        **asdict(total),
        "token_share": share(total.token_windows_seen, total.token_windows),
        "byte_share": share(total.byte_windows_seen, total.byte_windows),
    }


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole, from 0 to 1; None of nothing."""
    return part / whole if whole else None
