"""Results of commands: a few rows that decide, all of it with --verbose, or one JSON object."""

import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, TypeVar

import click

from .console import discard, json_option, remark
from .visible import json_text, print_text

Command = TypeVar("Command", bound=Callable[..., Any])
# A result's rows, by name. A phrase of several lines is printed below its name.
Rows = Mapping[str, str]
# Key of the context for `--verbose`, so that no command has to pass it on.
VERBOSE = "spike_commands.results.verbose"
# Set where a command runs inside another one, which itself prints the next command.
LEFT_TO_CALLER = "spike_commands.results.left_to_caller"
NUMBER = re.compile(r"[-+]?[\d,.]+( %)?|–")


def keep_verbose(context: click.Context, _: click.Parameter, verbose: bool) -> None:
    """Store the value of --verbose."""
    context.meta[VERBOSE] = verbose


def result_options(command: Command) -> Command:
    """Add `--json` and `--verbose` to a command that prints a result."""
    verbose = click.option(
        "--verbose",
        "-v",
        is_flag=True,
        expose_value=False,
        callback=keep_verbose,
        help="Print the whole result, not only its main rows.",
    )
    return json_option(verbose(command))


def is_verbose() -> bool:
    """Return whether the command that runs was called with `--verbose`."""
    return bool(click.get_current_context().meta.get(VERBOSE))


def print_result(
    result: Mapping[str, Any],
    as_json: bool,
    rows: Rows | None = None,
    following: Sequence[str | Path] = (),
) -> None:
    """Print a result on stdout, and on stderr the command that usually comes next.

    Args:
        result: all of it: what --json and --verbose print.
        as_json: print JSON and nothing else.
        rows: the rows to print for people; None prints all of the result.
        following: the words of the next command; left out with --quiet.
    """
    print_lines([json_text(result, indent=2)] if as_json else lines_for_people(result, rows))
    context = click.get_current_context()
    if following and not as_json and LEFT_TO_CALLER not in context.meta:
        remark(f"next: {shlex.join(map(str, following))}", context.params["quiet"])


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on stdout; a closed pipe is no error."""
    try:
        print_text("\n".join(lines))
    except BrokenPipeError:
        discard(sys.stdout)


def lines_for_people(result: Mapping[str, Any], rows: Rows | None) -> Iterator[str]:
    """Yield the rows of a result; all of it with --verbose or where there are no rows."""
    if rows is None or is_verbose():
        yield from lines_of(result)
        return
    yield from row_lines(rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def row_lines(rows: Rows, width: int | None) -> Iterator[str]:
    """Yield rows as lines, wrapped to the width of a terminal if there is one.

    >>> list(row_lines({"tokens": "2.6 bytes each", "parts": "a  1\\nb  2"}, None))
    ['tokens  2.6 bytes each', 'parts', '  a  1', '  b  2']
    >>> list(row_lines({"tokens": "2.6 bytes each, as bytes"}, 30))
    ['tokens  2.6 bytes each, as', '        bytes']
    """
    label = max(map(len, rows), default=0) + 2
    for name, phrase in rows.items():
        if "\n" in phrase:
            yield name
            yield from (f"  {line}" for line in phrase.split("\n"))
            continue
        lines = [phrase]
        if width is not None:
            lines = wrap(
                phrase, max(20, width - label), break_long_words=False, break_on_hyphens=False
            )
        for number, line in enumerate(lines or [""]):
            yield f"{'' if number else name:<{label}}{line}"


def table_lines(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table as lines; columns of numbers are aligned on the right.

    >>> list(table_lines(["part", "bytes"], [["attn", "1,234"], ["mlp", "5"]]))
    ['part  bytes', 'attn  1,234', 'mlp       5']
    """
    columns = list(zip(heading, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numbers = [all(map(NUMBER.fullmatch, column[1:])) for column in columns]
    for row in (heading, *rows):
        cells = zip(row, widths, numbers, strict=True)
        yield "  ".join(f"{cell:{'>' if right else '<'}{w}}" for cell, w, right in cells).rstrip()


def lines_of(result: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield a line for each name and value; those of an object or a table come below its name.

    >>> list(lines_of({"documents": 2, "dropped": {"empty": 1}, "parts": [{"a": 1}]}))
    ['documents  2', 'dropped', '  empty  1', 'parts', '  a', '  1']
    """
    width = max(map(len, result), default=0)
    for name, value in result.items():
        shown = f"{indent}{name.replace('_', ' ')}"
        if isinstance(value, Mapping) and value:
            yield shown
            yield from lines_of(value, indent + "  ")
        elif isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
            yield shown
            heading = [key.replace("_", " ") for key in value[0]]
            cells = [[for_people(cell) for cell in row.values()] for row in value]
            yield from (f"{indent}  {line}" for line in table_lines(heading, cells))
        else:
            yield f"{shown:<{width + len(indent)}}  {for_people(value)}"


def for_people(value: Any) -> str:
    """Return a value as text for people.

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


def shown_path(path: Path) -> Path:
    """Return a path relative to the working folder, if it is inside that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def some(number: int, what: str) -> str:
    """Return a number with its noun, singular or plural.

    >>> some(1, "document"), some(2000, "document")
    ('1 document', '2,000 documents')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def sized(size: int) -> str:
    """Return a number of bytes with three digits.

    >>> sized(999), sized(85458), sized(1_113_170), sized(123_456_789_012)
    ('999 bytes', '85.5 kB', '1.11 MB', '123 GB')
    """
    if size < 1000:
        return some(size, "byte")
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        amount, unit = amount / 1000, larger
        if amount < 999.5:
            break
    return f"{amount:.{2 if amount < 9.995 else 1 if amount < 99.95 else 0}f} {unit}"


def lasted(seconds: float) -> str:
    """Return a duration as text.

    >>> lasted(3.26), lasted(75), lasted(7322)
    ('3.3 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
