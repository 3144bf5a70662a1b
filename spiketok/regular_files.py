"""Regular files: open files of untrusted folders, of a limited size and no other kind.

In place of a file there may be a named pipe without a writer, or a link to a device without an end.
The open descriptor is checked, not the path, which may change in between.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from errno import EISDIR, ENXIO
from io import BufferedReader, UnsupportedOperation
from pathlib import Path
from typing import BinaryIO

from .errors import SpikeError

# Bytes of a JSON file that describes one thing: a run, a checkpoint, a shard, a model.
MAX_JSON_BYTES = 64 << 20
# Bytes of a JSON file that lists many: the entries of a vocabulary, the files of a corpus.
MAX_LISTING = 1 << 30
PIECE_BYTES = 1 << 20


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, in binary mode.

    Raises:
        SpikeError: it is a named pipe, a socket or a device.
        OSError: the system cannot open it.
    """
    return os.fdopen(regular_descriptor(path), "rb")


def append_regular(path: Path) -> BinaryIO:
    """Open a regular file for appending, made where it is missing; never follow a link.

    Raises:
        SpikeError: it is a link, a named pipe, a socket or a device.
        OSError: the system cannot open it.
    """
    if path.is_symlink():
        raise linked(path)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(regular_descriptor(path, flags), "ab")


def regular_descriptor(path: Path, flags: int = os.O_RDONLY) -> int:
    """Return the descriptor of a regular file, as `os.open` does.

    Raises:
        IsADirectoryError: it is a folder.
        SpikeError: it is a named pipe, a socket or a device (see `irregular`).
        OSError: the system cannot open it.
    """
    try:
        # A pipe without a writer, or with O_WRONLY without a reader, does not block.
        handle = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    except OSError as error:
        if error.errno == ENXIO:  # a socket, or a pipe without a reader
            raise irregular(path) from None
        raise
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    raise irregular(path)


@contextmanager
def regular_name(path: Path) -> Iterator[str]:
    """Yield a name of a regular file, for libraries that open files themselves."""
    with open_regular(path) as file:
        yield f"/proc/self/fd/{file.fileno()}"


def read_regular(path: Path, most: int = MAX_JSON_BYTES) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        SpikeError: it has more than `most`, or is a named pipe, a socket or a device.
        OSError: the system cannot read it.
    """
    with open_regular(path) as file:
        data = b""
        if os.fstat(file.fileno()).st_size <= most:
            data = file.read() or b""  # files of the kernel may have no bytes yet
            if len(data) <= most:
                return data
    raise SpikeError(f"{path}: is larger than {most:,} bytes; restore it from a copy")


def read_given(path: Path, most: int = MAX_LISTING) -> bytes:
    """Return the bytes of a file or pipe that the command line names.

    Raises:
        SpikeError: it is a device, or has more than `most` bytes.
        OSError: the system cannot read it.
    """
    with path.open("rb") as stream:
        check_no_device(path, stream)
        size = os.fstat(stream.fileno()).st_size  # of a pipe 0
        data = bytearray(stream.read(size) if size <= most else b"")
        while size <= most and (piece := stream.read(PIECE_BYTES)):
            data += piece
            size = len(data)
    if size > most:
        raise SpikeError(f"{path}: is larger than {most:,} bytes; name a smaller file")
    return bytes(data)


def check_no_device(path: Path, stream: BinaryIO) -> None:
    """Check that a stream is not a device such as /dev/zero; terminals and /dev/null are allowed.

    Raises:
        SpikeError: it is another character device.
    """
    try:
        handle = stream.fileno()
    except UnsupportedOperation:  # a stream of Python's own
        return
    status = os.fstat(handle)
    if not stat.S_ISCHR(status.st_mode) or os.isatty(handle):
        return
    if status.st_rdev != Path(os.devnull).stat().st_rdev:
        raise SpikeError(f"{path}: is a device, which may have no end; name a file or a pipe")


def names_file(path: Path) -> bool:
    """Return whether a name exists and is no folder, readable or not."""
    return os.path.lexists(path) and not path.is_dir()


def irregular(path: Path) -> SpikeError:
    """Return the error of a path that is neither a file nor a folder."""
    return SpikeError(f"{path}: is a pipe, a socket or a device; put a regular file in its place")


def check_no_links(paths: Iterable[Path]) -> None:
    """Check that no path to write in a folder is a link, which may lead out of it.

    Raises:
        SpikeError: one is a link.
    """
    for path in paths:
        if path.is_symlink():
            raise linked(path)


def linked(path: Path) -> SpikeError:
    """Return the error of a link in a folder that is written to."""
    return SpikeError(
        f"{path}: is a link, through which spike would write elsewhere; replace it by its target "
        "(only the whole folder may be a link)"
    )
