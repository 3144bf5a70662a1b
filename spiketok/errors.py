"""SpikeError, the one error that users see."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import (
    EACCES,
    EDQUOT,
    EFBIG,
    EINVAL,
    EISDIR,
    ELOOP,
    EMFILE,
    ENAMETOOLONG,
    ENOENT,
    ENOSPC,
    ENOTDIR,
    EPERM,
    EROFS,
)
from pathlib import Path

WRITE_FIXES = {
    ENOSPC: "make room and run again",
    EDQUOT: "make room and run again",
    EFBIG: "raise the limit of file sizes (ulimit -f) and run again",
    EMFILE: "raise the limit of open files (ulimit -n) and run again",
}
FIXES = {
    EMFILE: WRITE_FIXES[EMFILE],
    ENOENT: "restore it from a copy",
    EISDIR: "restore it from a copy",
    ELOOP: "restore it from a copy",
    EACCES: "make it readable for this user",
    EPERM: "make it readable for this user",
}


# Write errors that are due to the place.
PLACE_FAULTS = {EACCES, EINVAL, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS}


class SpikeError(Exception):
    """Bad input or a bad state of files, described in one line.

    The message names the file, the place in it and the fix. The command line prints it and exits
    with 1; every other exception that reaches the command line is a bug of spike.
    """


class SettingError(SpikeError):
    """Setting that is out of range or contradicts another one; an option on the command line.

    Attributes:
        setting: its name.
        fault: the fault and the fix.
    """

    def __init__(self, setting: str, fault: str) -> None:
        super().__init__(setting, fault)
        self.setting = setting
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.setting}: {self.fault}"


def unreadable(path: Path, error: OSError) -> SpikeError:
    """Return the error of a file that the system cannot read, whatever its content.

    >>> str(unreadable(Path("weights"), PermissionError(13, "Permission denied")))
    'weights: Permission denied; make it readable for this user'
    >>> str(unreadable(Path("weights"), OSError(24, "")))
    'weights: Too many open files; raise the limit of open files (ulimit -n) and run again'
    """
    reason = os.strerror(error.errno) if error.errno else str(error)
    fix = FIXES.get(error.errno or 0, "try again when it can be read")
    return SpikeError(f"{error.filename or path}: {reason}; {fix}")


def write_fix(error: OSError, go_on: str = "") -> str:
    """Return the advice for a file that cannot be written.

    Args:
        error: the failure.
        go_on: the next step, where running again is not enough.

    >>> write_fix(PermissionError(13, "Permission denied")), write_fix(OSError(28, "No space left"))
    ('choose another output', 'make room and run again')
    >>> write_fix(OSError(28, "No space left"), "resume it"), write_fix(OSError(5, ""), "resume it")
    ('make room and resume it', 'fix that and resume it')
    """
    if error.errno in PLACE_FAULTS and not go_on:
        return "choose another output"
    fix = WRITE_FIXES.get(error.errno or 0, "fix that and run again")
    return fix.replace("run again", go_on) if go_on else fix


@contextmanager
def parse_failures(place: Path | str, fix: str) -> Iterator[None]:
    """Convert parser exceptions to a one-line SpikeError that names the file.

    Parsers of JSON, TOML and UTF-8 raise a ValueError (a base of msgspec's errors) for content that
    is damaged, of another type or has a number that is too long. Where it is nested too deeply,
    they raise a RecursionError.

    Args:
        place: the file, and the place in it.
        fix: imperative that fixes it.

    Raises:
        SpikeError: instead of a ValueError, RecursionError or OSError.
    """
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise SpikeError(f"{place}: cannot be read ({parse_fault(error)}); {fix}") from None
    except OSError as error:
        raise unreadable(Path(place), error) from None


def parse_fault(error: Exception) -> str:
    """Describe in a few words why a parser rejected its input.

    >>> parse_fault(RecursionError("maximum recursion depth exceeded"))
    'nested too deeply'
    """
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # Message of Python itself, with advice to programmers.
    return "a number has too many digits" if "integer string conv" in str(error) else str(error)
