"""Tables of runs for people: state and scores, lineage, and the reasons of damaged runs."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..results import table_lines
from ..visible import visible
from .run_summary import RunSummary

# Digits of a fingerprint; --json has all of them.
SHORT = 12
MIN_NAME = 8
# Runs beside each other in a table of tasks, and characters of a task there.
COLUMNS, NAME = 5, 28
NUMBERS = ["step", "loss", "bits/byte", "tokens/s"]


def run_lines(runs: Sequence[RunSummary], base: Path, width: int) -> Iterator[str]:
    """Yield the tables of runs; in all but the first a run goes by its number.

    Args:
        runs: the runs.
        base: the folder that was searched; names are relative to it.
        width: columns of the terminal.
    """
    numbers = [str(number) for number in range(1, len(runs) + 1)]
    names = [shown_name(run.folder, base) for run in runs]
    cells = [
        [number, run.state, *numbers_of(run)] for number, run in zip(numbers, runs, strict=True)
    ]
    lines = list(table_lines(["", "state", *NUMBERS], cells))
    start = max(map(len, lines)) + 2
    room = max(MIN_NAME, width - start)
    yield f"{lines[0]:<{start}}run"
    for line, name, run in zip(lines[1:], names, runs, strict=True):
        yield f"{line:<{start}}{shortened(name, room)}"
        yield from wrap(run.reason, width, initial_indent="   ", subsequent_indent="   ")
    rows = [
        [number, *lineage_of(run, runs)]
        for number, run in zip(numbers, runs, strict=True)
        if run.fingerprints
    ]
    if rows:
        yield ""
        yield from table_lines(["", "tokenizer", "data", "init"], rows)
    yield from task_lines(runs)


def task_lines(runs: Sequence[RunSummary]) -> Iterator[str]:
    """Yield the tables of task scores, a column for each run that has some."""
    having = [(str(number), run) for number, run in enumerate(runs, 1) if run.tasks]
    for start in range(0, len(having), COLUMNS):
        part = having[start : start + COLUMNS]
        scores = [
            {(row["task"], row["metric"]): row.get(row["metric"]) for row in run.tasks}
            for _, run in part
        ]
        names = dict.fromkeys(name for found in scores for name in found)
        cells = [
            [
                shortened(f"{task} {metric}", NAME),
                *(shown_score(found.get((task, metric))) for found in scores),
            ]
            for task, metric in names
        ]
        yield ""
        yield from table_lines(["task", *(number for number, _ in part)], cells)
        for number, run in part:
            if not run.tasks_are_current:
                yield f"{number}  its task scores are of another step"


def shown_score(score: float | None) -> str:
    """Return the score of a task as text.

    >>> shown_score(0.25), shown_score(1234.5), shown_score(None)
    ('0.2500', '1,234.5', '–')
    """
    if score is None:
        return "–"
    return f"{score:.4f}" if abs(score) < 100 else f"{score:,.1f}"


def shown_name(folder: Path, base: Path) -> str:
    """Return the path of a run below a folder.

    >>> shown_name(Path("runs/a/b"), Path("runs")), shown_name(Path("runs/a"), Path("runs/a"))
    ('a/b', 'runs/a')
    """
    return visible(os.fsencode(folder if folder == base else folder.relative_to(base)))


def shortened(name: str, width: int) -> str:
    """Return a name with an ellipsis in place of its middle if it is too long.

    >>> shortened("runs/base", 20), shortened("a-very-long-name-of-a-run", 11)
    ('runs/base', 'a-ver…a-run')
    """
    if len(name) <= width:
        return name
    kept = width - 1
    return f"{name[: kept // 2]}…{name[len(name) - (kept - kept // 2) :]}"


def numbers_of(run: RunSummary) -> list[str]:
    """Return step, loss, score and speed as text; a dash for unknown ones."""
    if run.state == "damaged":
        return ["–"] * len(NUMBERS)
    step = f"{run.step:,}/{run.steps:,}"
    if run.seconds_limit is not None:
        step = f"{run.seconds or 0:,.0f}/{run.seconds_limit:,.0f} s"
    return [
        step,
        "–" if run.loss is None else f"{run.loss:.3f}",
        "–" if run.score is None else f"{run.score:.4f}",
        "–" if run.tokens_per_second is None else f"{run.tokens_per_second:,.0f}",
    ]


def lineage_of(run: RunSummary, runs: Sequence[RunSummary]) -> list[str]:
    """Return fingerprints of tokenizer and data, and the run whose weights came first."""
    fingerprints = {name: value[:SHORT] for name, value in run.fingerprints.items()}
    init = fingerprints.get("init", "–")
    for number, other in enumerate(runs, 1):
        if run.parent == other.folder:
            init = f"{init} ({number})"
    return [fingerprints.get("tokenizer", "–"), fingerprints.get("data", "–"), init]


def as_members(run: RunSummary) -> dict[str, Any]:
    """Return a run as an object of `spike runs --json`."""
    return {
        "run": str(run.folder),
        "state": run.state,
        "reason": run.reason or None,
        "step": run.step,
        "steps": run.steps,
        "seconds": run.seconds,
        "seconds_limit": run.seconds_limit,
        "tokens": run.tokens,
        "loss": run.loss,
        "score_name": run.score_name or None,
        "score": run.score,
        "score_step": run.score_step,
        "tokens_per_second": run.tokens_per_second,
        "fingerprints": dict(run.fingerprints),
        "parent": None if run.parent is None else str(run.parent),
        "tasks": [dict(row) for row in run.tasks],
        "tasks_are_current": run.tasks_are_current,
        "spike": run.spike or None,
        "torch": run.torch or None,
    }
