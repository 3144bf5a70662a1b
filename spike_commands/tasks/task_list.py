"""List of the evaluation tasks: metrics, sizes, licences, sources and data files."""

from typing import Any

from spike_lm.model.evaluation.arithmetic_items import ITEMS
from spike_lm.model.evaluation.task import Task
from spike_lm.model.evaluation.tasks.selection import BY_NAME, SUITES


def task_list() -> dict[str, Any]:
    """Return all tasks and suites: the object of `spike eval --tasks list --json`."""
    tasks = [
        {
            "task": task.name,
            "metrics": list(task.metrics),
            "items": task_items(task),
            "licence": task.licence,
            "source": task.source,
            "summary": task.summary,
            "files": [file.path for file in task.files],
        }
        for task in BY_NAME.values()
    ]
    return {"tasks": tasks, "suites": {name: list(names) for name, names in SUITES.items()}}


def task_items(task: Task) -> int:
    """Return the number of items of a task; of a text, of its lines."""
    if task.generate:
        return ITEMS
    return sum(min(file.records, task.per_file or file.records) for file in task.files)
