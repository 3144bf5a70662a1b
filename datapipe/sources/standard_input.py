"""Spool standard input and pipes to temporary files, so that they can be read more than once."""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from errno import EDQUOT, EFBIG, ENOENT, ENOSPC
from pathlib import Path

import pyarrow as pa

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import check_no_device

STANDARD_INPUT = Path("-")
HEAD_BYTES = 1 << 16
# A byte 0 in the first bytes makes a file binary, as for git; UTF-16 has such bytes too.
BINARY_BYTES = 8000
# First bytes → the end of a name of that kind; JSON Lines are recognised by their first line.
BEGINNINGS = {b"PAR1": ".parquet", b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
# An array of objects.
JSON_ARRAY = re.compile(rb'[\xef\xbb\xbf\s]*\[\s*\{\s*"')
CODECS = {".gz": "gzip", ".zst": "zstd"}


def is_stream(path: Path) -> bool:
    """Return whether a path is standard input or a pipe, which can be read only once."""
    return path == STANDARD_INPUT or path.is_fifo() or path.is_char_device()


def no_input(path: Path) -> str:
    """Return why a path that is not a file, folder or stream cannot be read."""
    exists = os.path.lexists(path)  # a socket, a disk, a link to itself
    return "neither a file nor a folder" if exists else "no such file or folder"


def spooled(path: Path, whole: bool = False) -> tuple[Path, str]:
    """Write standard input or a pipe to a temporary file without a name.

    The file disappears with the process, however that ends. Of binary content of an unknown format,
    which readers reject by its first bytes, only the first block is written: it may have no end.

    Args:
        path: `-` for standard input, a pipe or a terminal.
        whole: write binary content to its end, too.

    Returns:
        The path of the open file, for this process alone, and a name that ends as its content
        begins: `.jsonl` where the first line is a JSON object, `.json` where there is an array of
        them, `.parquet`, `.gz` or `.zst` by the first bytes, else no ending: plain text.

    Raises:
        SpikeError: standard input is closed, the input is a device, or the temporary folder is
            full.
    """
    if path == STANDARD_INPUT and sys.stdin is None:
        raise SpikeError("standard input is closed; give it text or name a file")
    name = "stdin" if path == STANDARD_INPUT else path.name
    stream = sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb")
    with nullcontext() if path == STANDARD_INPUT else stream:
        check_no_device(path, stream)
        with full_folder(path), tempfile.TemporaryFile(prefix="spike-") as file:
            head = stream.read(HEAD_BYTES)
            file.write(head)
            if whole or ending(head) or b"\0" not in head[:BINARY_BYTES]:
                shutil.copyfileobj(stream, file, 1 << 20)
            file.flush()
            # Never closed: the path is good as long as the process runs.
            copy = Path(f"/proc/self/fd/{os.dup(file.fileno())}")
    return copy, name + ending_of(copy)


@contextmanager
def full_folder(path: Path) -> Iterator[None]:
    """Name the temporary folder in errors to write the copy of an input.

    Raises:
        SpikeError: the folder is full or missing, or the input cannot be read (see `unreadable`).
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT, EFBIG, ENOENT):
            raise unreadable(path, error) from None
        folder = tempfile.tempdir or "the temporary folder"
        raise SpikeError(
            f"{path}: its copy in {folder}: {os.strerror(error.errno)}; set TMPDIR to a folder "
            "with more room"
        ) from None


def ending_of(file: Path) -> str:
    """Return the filename extension of a file, by its content."""
    with file.open("rb") as plain:
        extension = ending(plain.read(HEAD_BYTES))
    if extension not in CODECS:
        return extension
    try:
        with pa.input_stream(file, compression=CODECS[extension]) as stream:
            return ending(stream.read(HEAD_BYTES)) + extension
    except OSError:  # damaged; reading it reports where
        return extension


def ending(head: bytes) -> str:
    """Return the filename extension of a file that begins with `head`.

    >>> ending(b"Once upon a time"), ending(b'{"text": "Once"}'), ending(b"PAR1...")
    ('', '.jsonl', '.parquet')
    >>> ending(b'[{"messages": []}]'), ending(b"[1] A note")
    ('.json', '')
    """
    for beginning, extension in BEGINNINGS.items():
        if head.startswith(beginning):
            return extension
    if JSON_ARRAY.match(head):
        return ".json"
    line, complete, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not line.startswith(b"{"):
        return ""
    if not complete and len(head) >= HEAD_BYTES:
        return ".jsonl" if line.startswith(b'{"') else ""
    try:
        return ".jsonl" if isinstance(json.loads(line), dict) else ""
    except (ValueError, RecursionError):
        return ""
