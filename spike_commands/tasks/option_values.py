"""Values of the options of `spike eval --tasks`."""

from dataclasses import dataclass
from pathlib import Path

# Folder of task data where --data is not given.
FOLDER = Path("tasks")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """Values of the options that go with --tasks alone."""

    tasks: str | None
    limit: int
    items_file: Path | None
    border: str
    as_markdown: bool
    resume_items: bool
    allow_changed: bool
    from_hub: bool
    shards: Path | None
    overlap: bool
    exclude_overlap: bool
    save_results: bool
    trust_remote_code: bool
