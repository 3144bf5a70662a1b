"""Checks of output paths before the work begins."""

from collections.abc import Sequence
from pathlib import Path

from spiketok.errors import SpikeError


def check_place(out: Path, option: str) -> None:
    """Check, before the work, that a file of an option can be written.

    Raises:
        SpikeError: it is a folder, or its folder does not exist.
    """
    if out.is_dir():
        raise SpikeError(f"{out}: is a folder; choose another {option}")
    if not out.absolute().parent.is_dir():
        raise SpikeError(
            f"{out}: there is no folder {out.parent}; make it, or choose another {option}"
        )


def check_new(out: Path, option: str) -> None:
    """Check, before the work, that a file of an option can be written and does not exist.

    Raises:
        SpikeError: it exists, or cannot be written.
    """
    check_place(out, option)
    if out.exists():
        raise SpikeError(f"{out}: exists already; remove it or choose another {option}")


def check_out(out: Path, inputs: Sequence[Path], option: str) -> None:
    """Check, before the work, that a file of an option can and should be written.

    Raises:
        SpikeError: it is one of the inputs, has a name that is not UTF-8, or cannot be written.
    """
    check_place(out, option)
    if any("\udc80" <= letter <= "\udcff" for path in (out, *inputs) for letter in str(path)):
        raise SpikeError(f"{str(out)!a} or an input: the name is not UTF-8; rename the folder")
    if out.resolve() in [path.resolve() for path in inputs]:
        raise SpikeError(f"{out}: is one of the inputs; choose another {option}")
