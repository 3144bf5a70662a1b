"""Checkpoint folders in a run folder, `checkpoints/step-00000120`, one for each step saved."""

import re
from pathlib import Path

from spiketok.errors import unreadable
from spiketok.regular_files import check_no_links

from .metrics import METRICS


def checkpoint_folder(run_folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step is or would be."""
    return run_folder / "checkpoints" / f"step-{step:08d}"


def all_checkpoints(run_folder: Path) -> list[Path]:
    """Return the complete checkpoints, oldest first; unfinished ones have another name.

    Raises:
        SpikeError: their folder cannot be read, which does not mean that there are none.
    """
    folder = run_folder / "checkpoints"
    try:
        found = list(folder.iterdir())  # glob() passes over a folder without permission
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(folder, error) from None
    return sorted(entry for entry in found if re.fullmatch(r"step-\d{8}", entry.name))


def newest_checkpoint(run_folder: Path) -> Path | None:
    """Return the complete checkpoint of the highest step, if there is any."""
    return next(reversed(all_checkpoints(run_folder)), None)


def advice(folder: Path) -> str:
    """Return the advice for a damaged checkpoint: the one from which the run would resume."""
    others = [other for other in all_checkpoints(folder.parent.parent) if other.name != folder.name]
    if not others:
        return (
            f"restore it from a copy: {folder.name} is the only checkpoint, and without it the run "
            "begins again at step 0"
        )
    return (
        f"restore it from a copy, or move {folder.name} elsewhere to go on from {others[-1].name}"
    )


def check_no_links_inside(folder: Path) -> None:
    """Raise for symbolic links in a run folder where a training writes or removes files.

    Raises:
        SpikeError: a link would make it do so elsewhere.
    """
    names = [folder / METRICS, folder / "checkpoints", *all_checkpoints(folder)]
    check_no_links(names)


def has_begun(run_folder: Path) -> bool:
    """Return whether a folder holds a run that can only be resumed, not started again."""
    return (run_folder / METRICS).exists() or newest_checkpoint(run_folder) is not None
