"""Progress bar in a terminal."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task
from rich.text import Text

from .callbacks import Report
from .progress_line import Pace, line_in_width


@contextmanager
def moving_bar(description: str, pace: Pace, unit: str) -> Iterator[Report]:
    """Show a bar on stderr, and yield the callback that moves it.

    Args:
        description: of the work, one word.
        pace: of the work; its total is the bar's.
        unit: of the total.
    """
    begun = time.monotonic()

    class Line(ProgressColumn):
        """Progress bar column: the whole line, as long as the terminal is wide."""

        def render(self, task: Task) -> Text:
            """Return the current line."""
            passed = time.monotonic() - begun
            line = line_in_width(
                console.width - 1,
                description,
                pace,
                unit,
                task.fields["remark"],
                passed,
                task.fields["trend"],
                in_ascii=not console.encoding.startswith("utf"),
            )
            return Text(line, no_wrap=True)

    console = Console(stderr=True)
    with Progress(Line(), console=console) as progress:
        task = progress.add_task(description, total=pace.total, remark="", trend=())

        def move(done: float, text: str, /, due: bool = False, trend: Sequence[float] = ()) -> None:
            pace.add(time.monotonic(), done)
            progress.update(task, completed=done, remark=text, trend=trend, refresh=due)

        yield move
