"""Options that commands share, progress bars, remarks and checks of paths."""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from spiketok.atomic_files import check_writable
from spiketok.remote_paths import remote_fault

from .callbacks import Callbacks, Report, no_progress
from .progress_line import Pace, plain_line
from .visible import safe_for_terminals

Command = TypeVar("Command", bound=Callable[..., Any])
SECONDS_BETWEEN_LINES = 30.0
# Names of numbers in malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


# Key of the context for the argument or option of each path.
ROLES = "spike_commands.console.roles"
# Key of the context for the paths that the command writes.
WRITTEN = "spike_commands.console.written"


class FilePath(click.Path):
    """Path parameter: remote paths and the empty one, of a variable not set, are usage errors."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a word into a path."""
        if value == "":
            self.fail("the path is empty; name one", param, ctx)
        if "://" in str(value) and (fault := remote_fault(str(value))):
            self.fail(fault, param, ctx)
        if ctx is not None and param is not None:
            ctx.meta.setdefault(ROLES, {})[str(value)] = (
                param.get_error_hint(ctx).strip("[]").replace("'", "")
            )
        return super().convert(value, param, ctx)


class OutputPath(FilePath):
    """Output path parameter, checked before the work of the command begins."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a word into a path."""
        path = super().convert(value, param, ctx)
        if ctx is not None:
            ctx.meta.setdefault(WRITTEN, set()).add(str(path))
        check_writable(path)
        return path


class Fraction(click.FloatRange):
    """Number in a range; `nan`, which is in none, is a usage error too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a word into a number."""
        number = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


PATH = FilePath()
OUTPUT = OutputPath()
tokenizer_option = click.option(
    "--tokenizer",
    "tokenizer_path",
    type=PATH,
    default=Path("tokenizer.json"),
    show_default=True,
    help="The tokenizer file.",
)
ignore_key_option = click.option(
    "--ignore-key",
    "ignored_keys",
    multiple=True,
    metavar="KEY",
    help="chat: ignore this key of the records; may be repeated.",
)
ext_option = click.option(
    "--ext",
    "extensions",
    multiple=True,
    metavar="LIST",
    help="File endings to read as plain text in folders, such as md,py; * for all.",
)
text_field_option = click.option(
    "--text-field", default="text", show_default=True, help="Column that holds the text."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one JSON object."
)

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto: CUDA if available, else the CPU.",
)


def common_options(command: Command) -> Command:
    """Add `--quiet` and `--debug`, which every command has."""
    quiet = click.option("--quiet", "-q", is_flag=True, help="Print no progress and no remarks.")
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of a failure."
    )
    return quiet(debug(command))


def misnamed(wrong: str, right: str) -> Callable[[Command], Command]:
    """Return an option that fails with the name of the right one."""

    def refuse(_context: click.Context, _option: click.Parameter, value: Path | None) -> None:
        if value is not None:
            raise click.UsageError(f"no such option: {wrong}; use {right}")

    return click.option(
        wrong,
        type=OUTPUT,
        hidden=True,
        is_eager=True,
        expose_value=False,
        callback=refuse,
        help=f"Not an option here: use {right}.",
    )


@contextmanager
def progress_bar(description: str, total: float, unit: str, quiet: bool) -> Iterator[Report]:
    """Show progress on stderr: a bar in a terminal, a line every 30 s elsewhere; none if quiet.

    Args:
        description: of the task.
        total: of the amount.
        unit: of the amount.
        quiet: show nothing.
    """
    pace, begun = Pace(total), time.monotonic()
    if quiet:
        with no_progress(description, total, unit) as report:
            yield report
        return
    if not shows_bars():
        last = begun

        def write_line(
            done: float,
            text: str,
            /,
            due: bool = False,
            trend: Sequence[float] = (),  # noqa: ARG001 — a line in a log has no room
        ) -> None:
            nonlocal last
            now = time.monotonic()
            pace.add(now, done)
            if due or now - last >= SECONDS_BETWEEN_LINES:
                last = now
                remark(plain_line(description, pace, unit, text), quiet)

        yield write_line
        return
    from .terminal_bar import moving_bar

    with moving_bar(description, pace, unit) as move:
        yield move


def callbacks(quiet: bool) -> Callbacks:
    """Return the callbacks with which a recipe shows its progress and remarks on stderr."""
    return Callbacks(partial(progress_bar, quiet=quiet), partial(remark, quiet=quiet))


def shows_bars() -> bool:
    """Return whether stderr is a terminal that can move its cursor."""
    return sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def discard(stream: TextIO) -> None:
    """Redirect a standard stream to /dev/null, for its reader has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def use_passive_omp_wait() -> None:
    """Make torch's threads sleep while they wait; call it before torch is imported.

    By default they spin: some 2 % quicker on an idle machine, and several times slower on one
    whose cores also have other work.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def tune_malloc() -> None:
    """Make malloc keep freed memory for the next allocation, up to 256 MiB.

    By default glibc returns the top of its heap to the system, which clears each page before its
    next use: a tenth of the time of a small model's pass. Other C libraries are not changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 256 << 20)


def standard_input() -> bytes:
    """Read standard input to its end.

    Raises:
        UsageError: it is closed.
    """
    if sys.stdin is None:
        raise click.UsageError("standard input is closed; redirect a file or a pipe to it")
    return sys.stdin.buffer.read()


def remark(message: str, quiet: bool) -> None:
    """Print a remark on stderr that is not part of the result."""
    if not quiet:
        try:
            # Not click.echo, which would write over a progress bar instead of above it.
            shown = safe_for_terminals(message) if sys.stderr.isatty() else message
            sys.stderr.write(f"{shown}\n")
        except BrokenPipeError:  # nobody reads the log; the work goes on
            discard(sys.stderr)
