"""Data of tasks chosen by names, suites and files; no model is needed."""

from collections.abc import Sequence
from pathlib import Path

from spike_lm.model.evaluation.tasks.selection import chosen_tasks
from spiketok.errors import SpikeError

from .task_files import HubReader, MissingDataError, TaskData, read_task


def read_tasks(
    names: Sequence[str],
    folder: Path,
    *,
    limit: int = 0,
    allow_changed: bool = False,
    hub: HubReader | None = None,
) -> tuple[list[TaskData], dict[str, str]]:
    """Read the data of tasks; those of a suite may be missing.

    Args:
        names: of tasks, suites and files of items.
        folder: of task data.
        limit: number of items of each task; 0: all.
        allow_changed: also use data files that were changed.
        hub: reads the data from the hub instead of files.

    Returns:
        The data, and the fault of each task whose data are missing.

    Raises:
        SpikeError: a task is unknown, or data are missing of one that is named, or of all.
    """
    found, missing = [], {}
    for task in chosen_tasks(names):
        try:
            one = read_task(task, folder, limit=limit, allow_changed=allow_changed, hub=hub)
        except MissingDataError as error:
            if task.name in names:
                raise
            missing[task.name] = str(error)
            continue
        found.append(one)
    if missing and all(one.task.generate for one in found):
        raise SpikeError(next(iter(missing.values())))
    return found, missing
