"""Metrics: `metrics.jsonl`, one JSON object per logged step; resuming removes later ones."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from spiketok.atomic_files import DISK, durable_file, named_failures
from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import MAX_JSON_BYTES, append_regular, open_regular

METRICS = "metrics.jsonl"

Metrics = dict[str, int | float]
FIX = "remove the line"
# Bytes of a line, which may have a sample's text.
MAX_LINE = MAX_JSON_BYTES


def append_metrics(path: Path, metrics: Mapping[str, int | float | str]) -> None:
    """Append a line and close the file, so that readers see it at once."""
    with named_failures(path), append_regular(path) as file:
        file.write(msgspec.json.encode(metrics) + b"\n")


def sync_metrics(path: Path) -> None:
    """Sync the lines to disk; after a crash no checkpoint may be newer than its metrics."""
    with named_failures(path), append_regular(path) as file:
        os.fsync(file.fileno())
    DISK.sync_folder(path.parent)


def cut_back_metrics(path: Path, step: int) -> None:
    """Remove the lines after `step`, and a last line that a crash cut off.

    Raises:
        SpikeError: a line other than the last is not a JSON object with an integer `step`.
    """
    if not os.path.lexists(path):
        return
    with durable_file(path) as kept:
        for number, line in enumerate(_lines(path), 1):
            if line.endswith(b"\n") and _step_of(line, f"{path}:{number}") <= step:
                kept.write(line)


def last_metrics(path: Path, step: int) -> Metrics:
    """Return the last value of each key up to a step; empty if there is no file.

    Raises:
        SpikeError: a line is not an object of numbers and texts.
    """
    last: dict[str, int | float] = {}
    for number, line in enumerate(_lines(path) if os.path.lexists(path) else (), 1):
        with parse_failures(f"{path}:{number}", FIX):
            metrics = msgspec.json.decode(line, type=dict[str, int | float | str | None])
        numbers = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
        if numbers.get("step", 0) <= step:
            last |= numbers
    return last


def read_metrics(path: Path) -> Iterator[dict[str, int | float | str | None]]:
    """Yield the lines of a run, which may be training: a last line that is cut off is left out.

    Raises:
        SpikeError: a line is not an object of numbers and texts with an integer `step`.
    """
    for number, line in enumerate(_lines(path) if os.path.lexists(path) else (), 1):
        if line.endswith(b"\n"):
            _step_of(line, f"{path}:{number}")
            with parse_failures(f"{path}:{number}", FIX):
                yield msgspec.json.decode(line, type=dict[str, int | float | str | None])


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file that may be large, with their ends."""
    with parse_failures(path, FIX), open_regular(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise SpikeError(f"{path}:{number}: longer than {MAX_LINE:,} bytes; {FIX}")
            yield line


def _step_of(line: bytes, place: str) -> int:
    with parse_failures(place, FIX):
        return msgspec.json.decode(line, type=_Line).step


class _Line(msgspec.Struct, frozen=True):
    step: int
