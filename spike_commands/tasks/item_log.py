"""Results of single items: one JSON line each, appended as they are computed, for `--resume`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from spike_lm.model.evaluation.items import Item, LogLikelihood
from spike_lm.model.evaluation.metrics import ItemScore
from spiketok.atomic_files import named_failures
from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import MAX_JSON_BYTES, append_regular, open_regular

FIX = "name another --items, or leave out --resume"


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """Line of an item: its scores, by the names of docs/formats.md."""

    task: str
    border: str
    source: str
    label: int
    chosen: dict[str, int]
    correct: bool
    nats: list[float]
    tokens: list[int]
    greedy: list[bool]
    crosses: list[bool]
    truncated: list[bool]

    def likelihoods(self) -> list[LogLikelihood]:
        """Return the log-likelihoods of the choices.

        Raises:
            ValueError: the lists have different lengths.
        """
        columns = (self.nats, self.greedy, self.tokens, self.crosses, self.truncated)
        if len({len(column) for column in columns}) > 1:
            raise ValueError("its lists have different lengths")
        return [LogLikelihood(*row) for row in zip(*columns, strict=True)]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Line before the items of a task: what their scores depend on."""

    task: str
    border: str
    context: int
    model: str
    """Fingerprint of the model."""
    data: str
    """Fingerprint of the task's data."""


Line = Scored | Origin
Results = dict[tuple[str, str], dict[str, list[LogLikelihood]]]


class ItemLog:
    """Log of item results, and the finished ones of an earlier call."""

    def __init__(self, file: BinaryIO | None, origins: Sequence[Origin], done: Results) -> None:
        self._file, self._done = file, done
        self._origins = {(origin.task, origin.border): origin for origin in origins}

    def begin(self, origin: Origin) -> Mapping[str, list[LogLikelihood]]:
        """Begin the items of a task, and return its finished ones by their sources.

        Raises:
            SpikeError: those are of another model, context or data.
        """
        key = (origin.task, origin.border)
        before = self._origins.get(key)
        if before is None:
            self._write(origin)
        elif before != origin:
            names = ("model", "context", "data")
            other = [name for name in names if getattr(before, name) != getattr(origin, name)]
            fault = f"{origin.task}: the items of the file are of another {' and '.join(other)}"
            raise SpikeError(f"{fault}; {FIX}")
        return self._done.get(key, {})

    def add(self, origin: Origin, score: ItemScore, metric: str) -> None:
        """Append the line of an item, which readers see at once."""
        rows = score.likelihoods
        self._write(
            Scored(
                task=origin.task,
                border=origin.border,
                source=score.item.source,
                label=score.item.label,
                chosen=dict(score.chosen),
                correct=score.correct(metric),
                nats=[one.nats for one in rows],
                tokens=[one.tokens for one in rows],
                greedy=[one.is_greedy for one in rows],
                crosses=[one.crosses for one in rows],
                truncated=[one.truncated for one in rows],
            )
        )

    def _write(self, line: Line) -> None:
        if self._file:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()


@contextmanager
def item_log(path: Path | None, *, resume: bool) -> Iterator[ItemLog]:
    """Open the log of a file; without a path nothing is written.

    Args:
        path: of the file.
        resume: continue it, if it exists; a last line that was cut off is removed.

    Raises:
        SpikeError: the file exists and is not resumed, or a line of it is not of this kind.
    """
    if path is None:
        yield ItemLog(None, (), {})
        return
    if os.path.lexists(path) and not resume:
        raise SpikeError(f"{path}: exists already; add --resume, or choose another --items")
    origins, done = read_items(path) if path.exists() else ([], {})
    with named_failures(path), append_regular(path) as file:
        yield ItemLog(file, origins, done)


def read_items(path: Path) -> tuple[list[Origin], Results]:
    """Read the whole lines of a file and cut off a last one that is not whole.

    Raises:
        SpikeError: a line is not that of an item.
    """
    origins: list[Origin] = []
    done: Results = {}
    whole = 0
    for found, size in read_lines(path):
        whole += size
        if isinstance(found, Origin):
            origins.append(found)
        else:
            likelihoods = found.likelihoods()
            done.setdefault((found.task, found.border), {})[found.source] = likelihoods
    with named_failures(path):
        os.truncate(path, whole)
    return origins, done


def read_lines(path: Path, fix: str = FIX) -> Iterator[tuple[Line, int]]:
    """Yield the whole lines of a file and their bytes; a last one that is not whole is left out.

    Args:
        path: of the file.
        fix: for error messages.

    Raises:
        SpikeError: a line is not that of an item.
    """
    with parse_failures(path, fix), open_regular(path) as file:
        number = 0
        while (line := file.readline(MAX_JSON_BYTES)).endswith(b"\n"):
            number += 1
            with parse_failures(f"{path}:{number}", fix):
                found = parsed_line(line)
                if isinstance(found, Scored):
                    found.likelihoods()  # raises where the columns have different lengths
            yield found, len(line)


def parsed_line(line: bytes) -> Line:
    """Return the line of an item or of the beginning of a task."""
    fields: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    if "nats" in fields:
        return msgspec.convert(fields, Scored)
    return msgspec.convert(fields, Origin)


def fits(item: Item, likelihoods: Sequence[LogLikelihood]) -> bool:
    """Return whether finished results have one log-likelihood for each choice of an item."""
    return len(likelihoods) == len(item.requests)
