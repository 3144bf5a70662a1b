"""Keeps `metrics.jsonl`: one JSON object per logged step, cut back when a run resumes."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from spiketok.durable import DISK, named_failures, write_durably
from spiketok.errors import parse_failures

Metrics = dict[str, int | float]
FIX = "remove the line"


def append_metrics(path: Path, metrics: Mapping[str, int | float | str]) -> None:
    """Add one line, so that a reader of the file sees it at once."""
    with named_failures(path), path.open("ab") as file:
        file.write(msgspec.json.encode(metrics) + b"\n")


def sync_metrics(path: Path) -> None:
    """Bring the lines to the device; a checkpoint must not outlive the lines before it."""
    with named_failures(path), path.open("ab") as file:
        os.fsync(file.fileno())
    DISK.sync_folder(path.parent)


def cut_back_metrics(path: Path, step: int) -> None:
    """Forget the lines after `step`, and a last line that a crash has torn.

    Raises:
        SpikeError: a line other than the last is not a JSON object with an integer `step`.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    kept = [
        line for number, line in enumerate(lines, 1) if _step_of(line, f"{path}:{number}") <= step
    ]
    if len(kept) < len(lines) or path.exists():
        write_durably(path, b"".join(kept))


def last_metrics(path: Path, step: int) -> Metrics:
    """Return the last number of each key up to a step; of none where there is no file.

    Raises:
        SpikeError: a line is not an object of numbers and texts.
    """
    found: dict[str, int | float] = {}
    lines = path.read_bytes().splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        with parse_failures(f"{path}:{number}", FIX):
            metrics = msgspec.json.decode(line, type=dict[str, int | float | str | None])
        numbers = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
        if numbers.get("step", 0) <= step:
            found |= numbers
    return found


def _step_of(line: bytes, place: str) -> int:
    with parse_failures(place, FIX):
        return msgspec.json.decode(line, type=_Line).step


class _Line(msgspec.Struct, frozen=True):
    step: int
