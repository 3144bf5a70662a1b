"""Saved task scores in a model's folder, as `spike eval --save-results` writes them.

Nothing here loads torch, for lists of runs read these files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from spiketok.errors import SpikeError, parse_failures
from spiketok.regular_files import read_regular

RESULTS = "evaluation.json"
FORMAT = 1
FIX = "remove it, and score the tasks again"


class SavedResults(msgspec.Struct, frozen=True, kw_only=True):
    """Saved results: the fields of `evaluation.json`."""

    format: int
    spike: str
    """Version of spike that wrote it."""
    fingerprint: str
    """Of the model."""
    step: int | None
    tasks: list[dict[str, Any]]
    """Rows of `spike eval --tasks --json`, each with its `date`, `limit` and `border`."""


def read_results(folder: Path) -> SavedResults | None:
    """Return the saved scores of a model; None if there are none.

    Raises:
        SpikeError: the file cannot be read, or is of an unknown format.
    """
    path = folder / RESULTS
    if not path.exists():
        return None
    with parse_failures(path, FIX):
        saved = msgspec.json.decode(read_regular(path), type=SavedResults)
    if saved.format != FORMAT:
        raise SpikeError(f"{path}: format {saved.format} is not known; use a newer spike")
    return saved


def rows_of(saved: SavedResults | None) -> Sequence[Mapping[str, Any]]:
    """Return the rows of saved scores; none without any."""
    return saved.tasks if saved else ()
