"""Task scores during training: the callback that adds them to the metrics of a step."""

import re
from collections.abc import Callable, Sequence
from math import nan
from pathlib import Path

from spike_lm.model import Config
from spike_lm.model.evaluation.causal_lm import CausalLM, SpikeLM
from spike_lm.model.evaluation.metrics import summary
from spike_lm.model.evaluation.tasks.selection import is_own
from spike_lm.model.families.language_model import LanguageModel
from spike_lm.model.runs.metrics import Metrics
from spiketok import Tokenizer
from spiketok.errors import SpikeError

from ..tasks.item_log import ItemLog, Origin
from ..tasks.named_tasks import read_tasks
from ..tasks.scoring import NotFiniteError, left_out, score_task, score_text
from ..tasks.task_files import TaskData

BORDER = "joint"


def task_scorer(
    config: Config, tokenizer: Tokenizer, remark: Callable[[str], None] = lambda _: None
) -> Callable[[LanguageModel], Metrics] | None:
    """Read the configured tasks and return the function that scores a model; None without any.

    Args:
        config: of the run.
        tokenizer: of its data.
        remark: called once for missing tasks of a suite and for items that are left out.

    Raises:
        SpikeError: a task is unknown, its data are missing, or two tasks have one key.
    """
    if config.tasks is None or not config.tasks.names:
        return None
    wanted = config.tasks
    data, missing = read_tasks(wanted.names, Path(wanted.data), limit=wanted.limit)
    for fault in missing.values():
        remark(f"not scored: {fault}")
    keys = [metrics_key(one.task.name) for one in data]
    for key in keys:
        if keys.count(key) > 1:
            raise SpikeError(f"tasks.names: two tasks have the key {key}; rename a file")

    remarked: set[str] = set()

    def score(model: LanguageModel) -> Metrics:
        lm = SpikeLM(name="", model=model, tokenizer=tokenizer)
        found: Metrics = {}
        for key, one in zip(keys, data, strict=True):
            metrics, without = task_metrics(lm, one)
            found |= {f"{key}_{name}": value for name, value in metrics.items()}
            for reason, number in without.items():
                line = f"{one.task.name}: left out {number:,} ({reason})"
                if line not in remarked:
                    remark(line)
                remarked.add(line)
        return found

    return score


def metrics_key(name: str) -> str:
    """Return the beginning of a task's keys in the metrics.

    >>> metrics_key("arc_easy"), metrics_key("own/my items.jsonl.gz")
    ('task_arc_easy', 'task_my_items')
    """
    short = Path(name).name.partition(".jsonl")[0] if is_own(name) else name
    return "task_" + re.sub(r"\W", "_", short)


def task_metrics(lm: CausalLM, data: TaskData) -> tuple[Metrics, dict[str, int]]:
    """Return the metrics of a task with their errors, and the items that were left out, by reason.

    Metrics are NaN where the model gives no numbers: training itself names that, with its step.
    """
    context = min(data.task.context or lm.context, lm.context)
    if data.task.kind == "text":
        found = score_text(lm, data, context, lambda _characters, _items: None)
        return {name: found[name] for name in found if name not in ("bytes", "nats")}, data.broken
    origin = Origin(
        task=data.task.name, border=BORDER, context=context, model="", data=data.fingerprint
    )
    log = ItemLog(None, (), {})
    try:
        scored = score_task(lm, data, origin, log, lambda _characters, _items: None)
    except NotFiniteError:
        return dict.fromkeys(data.task.metrics, nan), data.broken
    found = summary(data.task, scored.whole)
    wanted = [*data.task.metrics, *(f"{metric}_error" for metric in data.task.metrics)]
    return {name: found[name] for name in wanted if name in found}, left_out(data, {BORDER: scored})


def absolute_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of tasks with absolute paths of files, so that a run resumes from any folder."""
    return tuple(str(Path(name).absolute()) if is_own(name) else name for name in names)
