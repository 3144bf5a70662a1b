"""Scores of a model on evaluation tasks, as `spike eval --tasks` gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datapipe.overlap.training_overlap import Overlap
from spike_lm.model.device import choose_device
from spike_lm.model.evaluation.causal_lm import CausalLM, open_causal_lm
from spike_lm.model.evaluation.metrics import changed_choices, grouped, summary
from spiketok.errors import SettingError, SpikeError

from ..callbacks import SILENT, Callbacks
from .item_log import ItemLog, Origin, item_log
from .model_identity import model_fingerprint, model_step, training_shards
from .named_tasks import read_tasks
from .overlap import overlap_numbers, task_overlaps
from .scoring import Done, ScoredItems, left_out, score_task, score_text
from .task_files import HubReader, TaskData
from .work_report import WorkReport

# Value of --border for two borders.
BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScoring:
    """Options of `spike eval --tasks`, which is where they are described.

    Attributes:
        folder: of task data.
        limit: number of items of each task; 0: all.
        border: joint, exact, lm-eval or both.
        context: tokens per window; 0: as many as the model was trained with.
        device: auto, cpu or cuda.
        items: file for the results of single items.
        resume: continue that file.
        allow_changed: also use data files that were changed.
        hub: reads the data from the hub instead of files.
        shards: training data to look the items up in; None: the run's.
        overlap: look them up.
        exclude_overlap: also score without the items that were found.
        trust_remote_code: run the code in a Hugging Face folder.
    """

    folder: Path = Path("tasks")
    limit: int = 0
    border: str = "joint"
    context: int = 0
    device: str = "auto"
    items: Path | None = None
    resume: bool = False
    allow_changed: bool = False
    hub: HubReader | None = None
    shards: Path | None = None
    overlap: bool = True
    exclude_overlap: bool = False
    trust_remote_code: bool = False


USUAL = TaskScoring()


def evaluate_tasks(
    model: Path, names: Sequence[str], how: TaskScoring = USUAL, show: Callbacks = SILENT
) -> dict[str, Any]:
    """Score a model on tasks.

    Args:
        model: a run folder, an artifact, an exported folder, or a causal LM of Hugging Face.
        names: of tasks, suites and files of items.
        how: the options.
        show: callbacks for progress and remarks.

    Returns:
        The object of `spike eval --tasks --json`.

    Raises:
        SpikeError: a task is unknown, its data are missing or changed, or the model cannot be read.
    """
    data, missing = read_tasks(
        names, how.folder, limit=how.limit, allow_changed=how.allow_changed, hub=how.hub
    )
    lm = open_causal_lm(model, choose_device(how.device), trust_remote_code=how.trust_remote_code)
    check_context(lm, how.context)
    if lm.unused_weights:
        first, count = lm.unused_weights[0], len(lm.unused_weights)
        show.remark(f"{model}: {count} of its tensors are not in the model, such as {first}")
    fingerprint, borders = model_fingerprint(model), borders_of(how.border)
    overlaps = found_overlaps(model, data, how, show)
    works = [one.work * (1 if one.task.kind == "text" else len(borders)) for one in data]
    rows = []
    with item_log(how.items, resume=how.resume) as log, show.progress("eval", 100, "%") as report:
        progress = WorkReport(report, sum(works))
        for one, work in zip(data, works, strict=True):
            context = min(how.context or one.task.context or lm.context, lm.context)
            report_task = progress.of(one.task.name, work)
            if one.task.kind == "text":
                row = score_text(lm, one, context, report_task)
                scored: dict[str, ScoredItems] = {}
            else:
                scored = score_borders(lm, one, borders, context, fingerprint, log, report_task)
                row = items_row(one, scored)
            rows.append(heading(one, context) | row | overlap_row(one, scored, overlaps, how))
    check_some_item(rows)
    return {
        "model": str(model),
        "step": model_step(model),
        "fingerprint": fingerprint,
        "context": how.context or lm.context,
        "limit": how.limit,
        "tasks": rows,
        "missing": missing,
    }


def check_context(lm: CausalLM, context: int) -> None:
    """Check that a model can read windows of a size; 0 is its own.

    Raises:
        SettingError: it cannot.
    """
    if context > lm.context:
        fault = f"{context:,} is more than the {lm.context:,} of {lm.name}; pass a smaller one"
        raise SettingError("--context", fault)


def check_some_item(rows: Sequence[Mapping[str, Any]]) -> None:
    """Check that some item or text was scored.

    Raises:
        SpikeError: none fits the context.
    """
    if not any(row["kind"] == "text" or row["items"] for row in rows):
        raise SpikeError(
            f"{rows[0]['task']}: no item fits the context of {rows[0]['context']:,} tokens; pass a "
            "larger --context"
        )


def borders_of(name: str) -> tuple[str, ...]:
    """Return the borders that a value of --border names."""
    return ("joint", "exact") if name == BOTH else (name,)


def score_borders(
    lm: CausalLM,
    data: TaskData,
    borders: Sequence[str],
    context: int,
    fingerprint: str,
    log: ItemLog,
    report: Done,
) -> dict[str, ScoredItems]:
    """Score the items of a task by each border.

    Args:
        lm: the model.
        data: of the task.
        borders: joint, exact or lm-eval.
        context: tokens per window.
        fingerprint: of the model.
        log: of single items.
        report: called with the characters and the number of items that are done.
    """
    scored = {}
    for number, border in enumerate(borders):
        before, items = number * data.work, number * len(data.items)
        origin = Origin(
            task=data.task.name,
            border=border,
            context=context,
            model=fingerprint,
            data=data.fingerprint,
        )
        scored[border] = score_task(lm, data, origin, log, later(report, before, items))
    return scored


def later(report: Done, characters: int, items: int) -> Done:
    """Return a callback that adds what was done before."""
    return lambda more, number: report(characters + more, items + number)


def heading(data: TaskData, context: int) -> dict[str, Any]:
    """Return what identifies the scores of a task."""
    return {
        "task": data.task.name,
        "kind": data.task.kind,
        "metric": data.task.metrics[0],
        "context": context,
        "data": data.fingerprint,
        "changed_data": data.changed,
    }


def items_row(data: TaskData, scored: Mapping[str, ScoredItems]) -> dict[str, Any]:
    """Return the metrics of a task's items; of a second border also the differences."""
    task = data.task
    (border, first), *others = scored.items()
    row = {"border": border, **summary(task, first.whole), "left_out": left_out(data, scored)}
    kept = [number for number, score in enumerate(first.scores) if score is not None]
    groups = grouped(task, first.whole, [data.groups[number] for number in kept])
    row |= {"by": groups} if groups else {}
    for name, other in others:
        pairs = [(a, b) for a, b in zip(first.scores, other.scores, strict=True) if a and b]
        differences = changed_choices(task, [a for a, _ in pairs], [b for _, b in pairs])
        row[name] = summary(task, other.whole) | differences
    return row


def found_overlaps(
    model: Path, data: Sequence[TaskData], how: TaskScoring, show: Callbacks
) -> dict[str, list[Overlap]]:
    """Return the overlap of each text with the training data, by task; empty where those are not.

    Args:
        model: path of the model.
        data: of the tasks.
        how: the options.
        show: callbacks for progress and remarks.

    Raises:
        SpikeError: the training data are named or needed, and cannot be read.
    """
    shards = how.shards or training_shards(model)
    if not how.overlap or shards is None:
        if how.exclude_overlap:
            raise SpikeError(f"{model}: its training shards are not here; name them by --shards")
        return {}
    try:
        return task_overlaps(data, shards, show)
    except SpikeError as error:
        if how.shards or how.exclude_overlap:
            raise
        show.remark(f"overlap with the training data is not known: {error}")
        return {}


def overlap_row(
    data: TaskData,
    scored: Mapping[str, ScoredItems],
    overlaps: Mapping[str, Sequence[Overlap]],
    how: TaskScoring,
) -> dict[str, Any]:
    """Return the overlap of a task with the training data, and its score without what was seen.

    Args:
        data: of the task.
        scored: its items by border; empty for a text.
        overlaps: of each text, by task.
        how: the options.
    """
    found = overlaps.get(data.task.name)
    if found is None:
        return {}
    row: dict[str, Any] = {"overlap": overlap_numbers(found)}
    if how.exclude_overlap and scored:
        first = next(iter(scored.values()))
        unseen = [
            score
            for score, one in zip(first.scores, found, strict=True)
            if score is not None and not one.is_seen
        ]
        row["unseen"] = summary(data.task, unseen)
    return row
