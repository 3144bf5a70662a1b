"""Tensor files (safetensors) of a checkpoint, with failures as one-line errors."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import open_regular, regular_name

from .checkpoint_folders import advice

Tensors = dict[str, Tensor]


def on_cpu(tensors: Mapping[str, Tensor]) -> Tensors:
    """Return tensors, of any shape, as safetensors needs them: contiguous, on the CPU."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def save_tensors(tensors: Tensors, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a file of tensors.

    Raises:
        OSError: the disk is full.
    """
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:
        # Only the text has the system's error; of an OSError, `durable_folder` names the file.
        match = re.search(r"\(os error ([0-9]+)\)", str(error))
        if not match:
            raise
        raise OSError(int(match[1]), os.strerror(int(match[1])), str(path)) from None


def load_tensors(path: Path) -> Tensors:
    """Read a file of tensors.

    Raises:
        SpikeError: it cannot be read.
    """
    with read_failures(path) as opened:
        return load_file(opened)


def tensors_sha256(path: Path) -> str:
    """Return the sha256 of a file of tensors; "" where its size is not that of its tensors.

    The size is checked first: a sparse file needs no disk and could take any time to read.
    """
    with regular_name(path) as opened:
        try:
            with safe_open(opened, framework="np"):
                pass
        except SafetensorError:
            return ""
        return file_sha256(Path(opened))


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def read_failures(path: Path, fix: str = "") -> Iterator[str]:
    """Convert failures to read a file of tensors to one-line errors; yield a name to open it by.

    Args:
        path: the file.
        fix: imperative for a damaged file; empty: that for a checkpoint.

    Raises:
        SpikeError: the file cannot be read (`unreadable` makes it) or is damaged.
    """
    try:
        # safetensors reports every file that it cannot open as missing; the system knows better.
        with regular_name(path) as opened:
            yield opened
    except OSError as error:
        raise unreadable(path, error) from None
    except SafetensorError as error:
        raise SpikeError(
            f"{path}: cannot be read ({error}); {fix or advice(path.parent)}"
        ) from None
