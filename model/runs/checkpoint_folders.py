"""Checkpoint folders of a run, `checkpoints/step-00000120`, one for each saved step."""

import re
from pathlib import Path

from spiketok.errors import unreadable
from spiketok.regular_files import check_no_links

from .metrics import METRICS


def checkpoint_folder(run_folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of a step, which may not exist."""
    return run_folder / "checkpoints" / f"step-{step:08d}"


def all_checkpoints(run_folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first; unfinished ones have another name.

    Raises:
        SpikeError: their folder cannot be read, which does not mean that there are none.
    """
    folder = run_folder / "checkpoints"
    try:
        entries = list(folder.iterdir())  # glob() passes over a folder without permission
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from None
    return sorted(entry for entry in entries if re.fullmatch(r"step-\d{8}", entry.name))


def newest_checkpoint(run_folder: Path) -> Path | None:
    """Return the complete checkpoint of the highest step, if there is any."""
    return next(reversed(all_checkpoints(run_folder)), None)


def advice(folder: Path) -> str:
    """Return the fix of a damaged checkpoint; it names the one from which the run would resume."""
    others = [other for other in all_checkpoints(folder.parent.parent) if other.name != folder.name]
    if not others:
        return (
            f"restore it from a copy: {folder.name} is the only checkpoint, and without it the run "
            "begins again at step 0"
        )
    return f"restore it from a copy, or move {folder.name} away to resume from {others[-1].name}"


def check_no_links_inside(folder: Path) -> None:
    """Check that a training writes and removes no files through symbolic links in a run folder.

    Raises:
        SpikeError: there is such a link.
    """
    names = [folder / METRICS, folder / "checkpoints", *all_checkpoints(folder)]
    check_no_links(names)


def has_begun(run_folder: Path) -> bool:
    """Return whether a folder holds a run that has begun and can only be resumed."""
    return (run_folder / METRICS).exists() or newest_checkpoint(run_folder) is not None
