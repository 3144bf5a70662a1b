"""Selection of evaluation tasks by name, suite or file.

docs/evaluation.md has the prompt of each task and a worked example.
"""

from collections.abc import Sequence
from difflib import get_close_matches

from spiketok.errors import SettingError

from ..records import own_item
from ..task import DataFile, Task
from .arithmetic import ALL_ACC, ARITHMETIC_TASKS
from .blimp import BLIMP_TASKS
from .questions import QUESTION_TASKS
from .texts import TEXT_TASKS

# All tasks, in the order in which they are scored and printed.
TASKS = (*TEXT_TASKS, *BLIMP_TASKS, *QUESTION_TASKS, *ARITHMETIC_TASKS)
BY_NAME = {task.name: task for task in sorted(TASKS, key=lambda task: task.context)}
# Characters of an unknown name that are shown.
MAX_NAME = 80
# Names of several tasks at once; `all` is each task whose data are there.
ALL = "all"
SUITES = {
    ALL: tuple(BY_NAME),
    "seeds": (
        "wikitext2",
        "blimp-150",
        "arc_easy",
        "arc_challenge",
        "hellaswag",
        "hellaswag-lower",
        "winogrande",
        "piqa",
        "openbookqa",
        "boolq",
        "arithmark",
        "spike-arithmetic",
    ),
    "tiny-ml": ("tiny-ml-blimp", "tiny-ml-arc_easy", "tiny-ml-wikitext2"),
}


def own_task(path: str) -> Task:
    """Return the task of a user's JSON Lines file, named by its path."""
    return Task(
        name=path,
        kind="multiple choice",
        summary="items of a file",
        licence="",
        source=path,
        metrics=ALL_ACC,
        files=(DataFile(path),),
        build=own_item,
    )


def is_own(name: str) -> bool:
    """Return whether a name is that of a file of items."""
    return name.endswith((".jsonl", ".jsonl.gz", ".jsonl.zst"))


def chosen_tasks(names: Sequence[str]) -> tuple[Task, ...]:
    """Return the tasks of names, suites and files, each once, in the order given.

    Raises:
        SettingError: a name is unknown.

    >>> [task.name for task in chosen_tasks(["tiny-ml", "piqa"])][2:]
    ['tiny-ml-wikitext2', 'piqa']
    """
    found: dict[str, Task] = {}
    for name in names:
        if is_own(name):
            found[name] = own_task(name)
        elif name in SUITES:
            found |= {inner: BY_NAME[inner] for inner in SUITES[name]}
        elif name in BY_NAME:
            found[name] = BY_NAME[name]
        else:
            close = get_close_matches(name, [*BY_NAME, *SUITES], n=1)
            meant = f"did you mean `{close[0]}`? " if close else ""
            fault = f"no such task; {meant}`spike eval --tasks list` lists all tasks"
            raise SettingError(name[:MAX_NAME] or "--tasks", fault)
    return tuple(found.values())
