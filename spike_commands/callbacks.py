"""Callbacks of the recipes: progress and remarks, which commands show and notebooks may show."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol


class Report(Protocol):
    """Progress callback: the amount done so far and a remark, its parts separated by ", ".

    Where there is no bar, `due` prints a line at once; a bar with room shows `trend`, a series.
    """

    def __call__(
        self, done: float, remark: str, /, due: bool = False, trend: Sequence[float] = ()
    ) -> None:
        """Show it."""


def _show_nothing(
    _done: float, _remark: str, /, due: bool = False, trend: Sequence[float] = ()
) -> None:
    """Show nothing."""


@contextmanager
def no_progress(_description: str, _total: float, _unit: str) -> Iterator[Report]:
    """Show no progress."""
    yield _show_nothing


def no_remark(_message: str) -> None:
    """Show no remark."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Callbacks of one call; by default nothing is shown.

    Attributes:
        progress: given a description, the total and its unit, yields the progress callback.
        remark: given a line that is not part of the result.
    """

    progress: Callable[[str, float, str], AbstractContextManager[Report]] = no_progress
    remark: Callable[[str], None] = no_remark


SILENT = Callbacks()
