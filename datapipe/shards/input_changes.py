"""Input changes: detect files that change during reading or after a plan, by size and mtime."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from spiketok.errors import SpikeError

from ..sources.files import Source
from .commit_records import unit_record_path
from .plan import Plan


def file_states(sources: Sequence[Source]) -> list[tuple[int, int] | None]:
    """Return the size in bytes and the modification time in ns of each file; None if missing."""
    states: list[tuple[int, int] | None] = []
    for source in sources:
        states.append(None)
        with suppress(OSError):
            status = source.path.stat()
            states[-1] = status.st_size, status.st_mtime_ns
    return states


def changed_since(before: Sequence[tuple[int, int] | None], sources: Sequence[Source]) -> list[int]:
    """Return the indices of existing files whose state has changed."""
    now = file_states(sources)
    return [index for index, state in enumerate(now) if state and state != before[index]]


def modified_after(plan: Path, sources: Sequence[Source]) -> list[int]:
    """Return the indices of files whose mtime is later than that of a plan; none without a plan.

    A plan has the size and samples of a file; an edit between these leaves only the mtime.
    """
    if not plan.exists():
        return []
    made = plan.stat().st_mtime_ns
    return [index for index, state in enumerate(file_states(sources)) if state and state[1] > made]


def forget_units(plan: Plan, changed: Sequence[int], out: Path) -> None:
    """Remove the records of the units that read these files.

    A later run then compares their shards with the files again, document by document.
    """
    for number, unit in enumerate(plan.units):
        if any(index in changed for index, _, _ in unit):
            unit_record_path(out, number).unlink(missing_ok=True)


@contextmanager
def refused_changes(sources: Sequence[Source], plan: Plan, out: Path) -> Iterator[None]:
    """Raise an error if inputs change inside the block, instead of errors that follow from it.

    The records of units that read such a file are removed.

    Raises:
        SpikeError: a file changed.
    """
    before = file_states(sources)

    def refuse() -> None:
        changed = changed_since(before, sources)
        forget_units(plan, changed, out)
        if changed:
            name = sources[changed[0]].shown
            raise SpikeError(f"{name}: changed while it was read; run again when it is complete")

    try:
        yield
    except SpikeError:
        refuse()
        raise
    refuse()
