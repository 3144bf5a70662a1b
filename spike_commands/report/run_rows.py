"""Tables of runs for people: state and scores, lineage, and the reasons of damaged runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..results import table_lines
from .run_summary import RunSummary

# Digits of a fingerprint; --json has all of them.
SHORT = 12
MIN_NAME = 8
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


def shown_name(folder: Path, base: Path) -> str:
    """Return the path of a run below a folder.

    >>> shown_name(Path("runs/a/b"), Path("runs")), shown_name(Path("runs/a"), Path("runs/a"))
    ('a/b', 'runs/a')
    """
    return str(folder if folder == base else folder.relative_to(base))


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
        "spike": run.spike or None,
        "torch": run.torch or None,
    }
