"""Progress over several evaluation tasks: the share of all their text, and items per second."""

import time
from collections.abc import Callable

from ..callbacks import Report


class WorkReport:
    """Progress report of several tasks.

    Args:
        report: progress callback, in percent.
        total: characters of all tasks.
    """

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._total, self._before = report, max(total, 1), 0

    def of(self, task: str, size: int) -> Callable[[int, int], None]:
        """Return the callback of the next task: the characters and the items that are done.

        Args:
            task: its name.
            size: its characters.
        """
        begun, before = time.monotonic(), self._before
        self._before += size

        def show(characters: int, items: int) -> None:
            passed = time.monotonic() - begun
            rate = f", {items / passed:,.0f} items/s" if items and passed else ""
            self._report(100 * (before + characters) / self._total, f"{task}{rate}")

        return show
