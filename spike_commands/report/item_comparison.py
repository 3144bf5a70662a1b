"""Paired comparison of two models on the items of tasks, from files of `spike eval --items`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spike_lm.model.evaluation.paired import mcnemar_exact, paired_bootstrap
from spiketok.errors import SpikeError

from ..tasks.item_log import Origin, Scored, read_lines
from ..tasks.model_identity import model_fingerprint
from .run_comparison import as_members

# The level of the intervals.
LARGEST_P = 0.05


@dataclass(slots=True)
class TaskItems:
    """Items of a task in one file: where they are from, and their results by source."""

    origin: Origin
    items: dict[str, Scored] = field(default_factory=dict)


def read_item_file(path: Path, run: Path) -> dict[tuple[str, str], TaskItems]:
    """Read the items of a file by task and border.

    Args:
        path: written by `spike eval --items`.
        run: the model that must have been scored.

    Raises:
        SpikeError: a line is not of this kind, or of another model.
    """
    model = model_fingerprint(run)
    found: dict[tuple[str, str], TaskItems] = {}
    for line, _ in read_lines(path, "name a file of spike eval --items"):
        key = (line.task, line.border)
        if isinstance(line, Origin):
            if line.model != model:
                raise SpikeError(
                    f"{path}: its items are of another model than {run}, or of another step; "
                    "score the tasks again, or name the files in the order of the runs"
                )
            found[key] = TaskItems(line)
        elif key in found:
            found[key].items[line.source] = line
    return found


def compare_items(
    first: Mapping[tuple[str, str], TaskItems], second: Mapping[tuple[str, str], TaskItems]
) -> list[dict[str, Any]]:
    """Return the paired differences of each metric of the tasks that both have.

    The interval is a paired bootstrap over items, `p_value` that of McNemar's exact test. Models
    are distinguishable where the interval does not hold 0 and p is below 0.05: of few items that
    one alone solves, the bootstrap's interval is too short. Tasks of
    other data or another context have only the `reason` why they are not compared.
    """
    rows = []
    for key in sorted(first.keys() & second.keys()):
        one, other = first[key], second[key]
        task, border = key
        row: dict[str, Any] = {"task": task, "border": border}
        names = [
            name
            for name in ("data", "context")
            if getattr(one.origin, name) != getattr(other.origin, name)
        ]
        if names:
            rows.append(row | {"reason": f"the {' and '.join(names)} of both are not the same"})
            continue
        sources = [source for source in one.items if source in other.items]
        pairs = [(one.items[source], other.items[source]) for source in sources]
        metrics = list(pairs[0][0].chosen) if pairs else []
        rows += [row | {"metric": metric} | paired_metric(pairs, metric) for metric in metrics]
    return rows


def paired_metric(pairs: Sequence[tuple[Scored, Scored]], metric: str) -> dict[str, Any]:
    """Return the paired difference of a metric over the items of a task.

    Args:
        pairs: results of both models, of at least one item.
        metric: such as `acc`.
    """
    right = np.array(
        [[item.chosen.get(metric) == item.label for item in pair] for pair in pairs], np.float64
    ).T
    only_first = int(((right[0] == 1) & (right[1] == 0)).sum())
    only_second = int(((right[0] == 0) & (right[1] == 1)).sum())
    found, p_value = paired_bootstrap(right[0], right[1]), mcnemar_exact(only_first, only_second)
    return {
        **as_members(found),
        "distinguishable": found.distinguishable and p_value < LARGEST_P,
        "only_first": only_first,
        "only_second": only_second,
        "p_value": p_value,
    }
