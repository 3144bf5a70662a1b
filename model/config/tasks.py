"""Task settings: the section `[tasks]`."""

from typing import Annotated

from msgspec import Meta, Struct

from .ranges import CountOrZero


class TasksConfig(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Evaluation tasks during training (docs/evaluation.md); a resumed run may change them."""

    names: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    """Tasks, suites and JSON Lines files of items, as of `spike eval --tasks`."""
    every: Annotated[CountOrZero, "steps"] = 0
    """Steps between scorings; 0 for the last step only."""
    limit: Annotated[CountOrZero, "items"] = 200
    """Items of each task; 0 for all."""
    data: str = "tasks"
    """Folder of task data."""
