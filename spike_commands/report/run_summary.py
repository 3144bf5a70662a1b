"""Run summary: state, step, losses, speed and lineage of a run, from its small files alone."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from spike_lm.model.config.schema import Config
from spike_lm.model.runs.checkpoint_folders import all_checkpoints, newest_checkpoint
from spike_lm.model.runs.checkpoint_state import STATE, parse_state
from spike_lm.model.runs.lineage import LINEAGE, Lineage, read_config, read_lineage
from spike_lm.model.runs.metrics import METRICS, read_metrics
from spiketok.atomic_files import is_locked
from spiketok.errors import SpikeError
from spiketok.regular_files import read_regular

from ..tasks.saved_results import read_results, rows_of

State = Literal["running", "finished", "interrupted", "weights", "damaged"]
Line = dict[str, int | float | str | None]
# A folder that has one of these is or was a run.
MARKS = (LINEAGE, METRICS, "checkpoints")
# Folders below the one that is searched.
DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """Run summary; only `folder`, `state` and `reason` are known of a damaged run."""

    folder: Path
    state: State
    """`weights`: without data, as an unpacked or imported model; `damaged`: see `reason`."""
    reason: str = ""
    step: int = 0
    """Last logged step; of a run without metrics the step of its checkpoint."""
    steps: int = 0
    seconds: float | None = None
    """Seconds of training, where these measure the run."""
    seconds_limit: float | None = None
    tokens: int = 0
    loss: float | None = None
    """Nats per token of the last logged step; of conversations over the replies."""
    score_name: str = ""
    """Name of the validation score, such as `bits_per_byte`; empty without validation."""
    score: float | None = None
    score_step: int | None = None
    """Step of the last validation."""
    tokens_per_second: float | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    parent: Path | None = None
    """Run whose weights this one began with, where it is among those listed."""
    tasks: Sequence[Mapping[str, Any]] = ()
    """Saved scores of tasks, as `spike eval --save-results` wrote them."""
    tasks_are_current: bool = True
    """Whether these are of the newest checkpoint."""
    spike: str = ""
    torch: str = ""


def find_runs(folder: Path) -> list[Path]:
    """Return the run folders in a folder, sorted; the folder itself if it is one.

    Raises:
        SpikeError: the folder does not exist or has no run.
    """
    if not folder.is_dir():
        raise SpikeError(f"{folder}: no such folder; name one with runs (spike train makes them)")
    found = list(_runs_below(folder, DEPTH))
    if not found:
        raise SpikeError(f"{folder}: has no run; name a folder with runs (spike train makes them)")
    return found


def _runs_below(folder: Path, depth: int) -> Iterator[Path]:
    if any(os.path.lexists(folder / mark) for mark in MARKS):
        yield folder
    elif depth:
        try:
            inner = sorted(entry for entry in folder.iterdir() if entry.is_dir())
        except OSError:
            return
        for entry in inner:
            if not entry.name.startswith("."):
                yield from _runs_below(entry, depth - 1)


def summaries(folders: Sequence[Path]) -> list[RunSummary]:
    """Return the summaries of runs; those that cannot be read have the reason."""
    parents: dict[str, Path] = {}
    for folder in folders:
        parents |= dict.fromkeys(_checkpoint_digests(folder), folder)
    return [summary_of(folder, parents) for folder in folders]


def _checkpoint_digests(folder: Path) -> Iterator[str]:
    """Yield the digests by which other runs name a run as their beginning."""
    try:
        for checkpoint in all_checkpoints(folder):
            yield sha256(read_regular(checkpoint / STATE)).hexdigest()
    except (SpikeError, OSError):
        return


def summary_of(folder: Path, parents: Mapping[str, Path]) -> RunSummary:
    """Return the summary of a run; `parents` has the runs by the digests of checkpoints."""
    try:
        return _summary(folder, parents)
    except SpikeError as error:
        return RunSummary(folder=folder, state="damaged", reason=str(error))
    except OSError as error:
        place = error.filename or folder
        return RunSummary(folder=folder, state="damaged", reason=f"{place}: {error.strerror}")


def _summary(folder: Path, parents: Mapping[str, Path]) -> RunSummary:
    lineage, config = read_lineage(folder), read_config(folder)
    found: dict[str, Any] = {}
    for line in read_metrics(folder / METRICS):
        found |= _numbers_of(line)
    newest = newest_checkpoint(folder)
    saved = parse_state(newest) if newest else None
    step = max(found.get("step", 0), saved.step if saved else 0)
    tokens = config.train.batch_size * config.model.context * step
    limit = config.schedule.seconds or None
    trained = saved.seconds if saved else None
    finished = saved is not None and (
        saved.step >= config.train.steps or (limit is not None and (trained or 0) >= limit)
    )
    scores = read_results(folder)
    digest = sha256(read_regular(newest / STATE)).hexdigest() if newest else ""
    return RunSummary(
        folder=folder,
        tasks=rows_of(scores),
        tasks_are_current=scores is None or scores.fingerprint == digest,
        state=_state(folder, config, finished),
        steps=config.train.steps,
        seconds=trained,
        seconds_limit=limit,
        parent=parents.get(lineage.fingerprints.get("init", "")),
        **_of_lineage(lineage),
        **(found | {"step": step, "tokens": tokens}),
    )


def _state(folder: Path, config: Config, finished: bool) -> State:
    if is_locked(folder):
        return "running"
    if not config.data.path:
        return "weights"
    return "finished" if finished else "interrupted"


def _of_lineage(lineage: Lineage) -> dict[str, Any]:
    return {
        "fingerprints": lineage.fingerprints,
        "spike": lineage.spike,
        "torch": lineage.torch,
    }


def _numbers_of(line: Line) -> dict[str, Any]:
    """Return the fields of a summary that a line of metrics sets."""
    found: dict[str, Any] = {"step": line["step"]}
    for name in ("loss", "reply_loss"):
        if name in line:
            found["loss"] = line[name]
    if "tokens_per_second" in line:
        found["tokens_per_second"] = line["tokens_per_second"]
    for name in line:
        if (score := validation_name(name)) and line[name] is not None:
            found |= {"score_name": score, "score": line[name], "score_step": line["step"]}
    return found


def validation_name(key: str) -> str:
    """Return the name of the score that a key of metrics has; empty for other keys.

    >>> validation_name("validation_reply_bits_per_byte"), validation_name("train_bits_per_byte")
    ('reply_bits_per_byte', '')
    """
    is_score = key.startswith("validation_") and key.endswith("bits_per_byte")
    return key.removeprefix("validation_") if is_score else ""
