"""What the commands share: their common options, progress bars and the printing of results."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
# Called with the amount done so far and a short remark to show beside the bar.
Report = Callable[[float, str], None]


class FilePath(click.Path):
    """A path as a `Path`; the empty one, from a variable that is not set, is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a word into a path."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


PATH = FilePath()
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON object."
)


def common_options(command: Command) -> Command:
    """Add `--quiet` and `--debug`, which every command understands."""
    quiet = click.option("--quiet", "-q", is_flag=True, help="No progress and no remarks.")
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of a failure."
    )
    return quiet(debug(command))


@contextmanager
def progress_bar(description: str, total: float, unit: str, quiet: bool) -> Iterator[Report]:
    """Show a bar with rate and remaining time on stderr; silent when piped or quiet."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _remark: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("eta"),
        Remaining(),
        TextColumn("{task.fields[remark]}", style="dim"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=total, rate="", remark="")

        def report(done: float, remark: str) -> None:
            speed = progress.tasks[task].speed
            rate = f"{speed:,.1f} {unit}/s" if speed else ""
            progress.update(task, completed=done, remark=remark, rate=rate)

        yield report


def print_result(result: Mapping[str, Any], as_json: bool) -> None:
    """Print a result on stdout: as JSON, or as lines of name and value for people."""
    if as_json:
        click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        return
    for line in lines_of(result):
        click.echo(line)


def lines_of(result: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield a line for each name and value; those of an object stand below its name.

    >>> list(lines_of({"documents": 2, "dropped": {"empty": 1}}))
    ['documents  2', 'dropped', '  empty  1']
    """
    width = max(map(len, result), default=0)
    for name, value in result.items():
        shown = f"{indent}{name.replace('_', ' ')}"
        if isinstance(value, Mapping) and value:
            yield shown
            yield from lines_of(value, indent + "  ")
        else:
            yield f"{shown:<{width + len(indent)}}  {for_people(value)}"


def for_people(value: Any) -> str:
    """Write a value as a person reads it.

    >>> for_people(1234567), for_people(1.23456), for_people([]), for_people(None)
    ('1,234,567', '1.2346', 'none', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, list | tuple | Mapping):
        return ", ".join(map(for_people, value)) or "none"
    return str(value)


def let_threads_sleep() -> None:
    """Make torch's threads wait for each other asleep; to be called before torch is imported.

    By default they spin: some 2 % quicker on an idle machine, and several times slower on one
    whose cores also have other work.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def standard_input() -> bytes:
    """Read standard input to its end."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed")
    return sys.stdin.buffer.read()


def remark(message: str, quiet: bool) -> None:
    """Say something on stderr that is not part of the result."""
    if not quiet:
        # Not click.echo, which would write past a progress bar instead of above it.
        sys.stderr.write(f"{message}\n")


def counted(dropped: Mapping[str, int]) -> str:
    """Word what was left out: each reason and how often.

    >>> counted({"broken JSON": 1200, "empty": 1})
    'broken JSON 1,200, empty 1'
    """
    return ", ".join(f"{reason} {number:,}" for reason, number in sorted(dropped.items()))


def warn_skipped(skipped: list[str], quiet: bool) -> None:
    """Say which files of a folder are left out because of their kind."""
    if skipped:
        shown = ", ".join(skipped[:5]) + (", …" if len(skipped) > 5 else "")
        remark(f"left out {len(skipped)} files of other kinds: {shown}", quiet)
