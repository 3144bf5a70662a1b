"""Atomic file writes: after a crash at any moment, an output is whole or absent.

The order is always: write under a temporary name, fsync, rename, fsync the folder. Renaming before
the fsync may leave an empty file under the final name after a power cut. Without the last fsync the
new name itself may be lost.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EBADF, EINVAL, ENOLCK, ENOSYS, ENOTSUP, ENXIO, EOPNOTSUPP
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from .errors import SpikeError

PARTIAL = ".partial"
# Seconds to wait before a second try to lock: `is_locked` holds a lock for a moment.
SECOND_TRY = 0.05
# Error numbers of file systems for an operation that they do not have.
NOT_SUPPORTED = {EBADF, EINVAL, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP}


class Disk:
    """File operations for durable writes; tests pass one that fails on purpose."""

    def create(self, path: Path) -> BinaryIO:
        """Open an empty file for writing, and lock it; a file left by a killed writer is emptied.

        Raises:
            SpikeError: another process is writing it.
        """
        flags = os.O_RDWR | os.O_CREAT
        file = open(path, "wb", opener=lambda *_: claimed(path, flags))  # noqa: SIM115
        file.truncate()
        return file

    def sync(self, file: BinaryIO) -> None:
        """Sync a file's bytes to the device."""
        file.flush()
        os.fsync(file.fileno())

    def rename(self, source: Path, target: Path) -> None:
        """Move a file or folder to its final name, replacing a file of that name."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """Sync a folder's list of names to the device."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            # Some network file systems have no sync of folders; the file itself is on the device.
            if error.errno not in NOT_SUPPORTED:
                raise
        finally:
            os.close(handle)


DISK = Disk()


def partial_path(path: Path) -> Path:
    """Return the temporary name beside `path`: hidden, and recognisable after a crash."""
    return path.with_name(f".{path.name}{PARTIAL}")


def lock(handle: int, path: Path) -> OSError | None:
    """Lock an open file or folder until it is closed; return why the file system has no locks.

    Args:
        handle: its descriptor.
        path: the output, for the error.

    Raises:
        SpikeError: another process holds the lock.
    """
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(SECOND_TRY)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fault = f"{path}: another process is writing it; wait until that has ended"
        raise SpikeError(fault) from None
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        return error
    return None


def claimed(partial: Path, flags: int) -> int:
    """Open a temporary file or folder and lock it, so that two writers of one output never mix.

    The lock lasts until the descriptor is closed, which is after the rename. Without locks in the
    file system the descriptor is not locked.

    Raises:
        SpikeError: another process holds the lock.
    """
    target = partial.with_name(partial.name[1:].removesuffix(PARTIAL))
    while True:
        try:
            handle = os.open(partial, flags | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if partial.is_symlink() or error.errno == ENXIO:  # a socket
                raise not_left(partial) from None
            raise
        try:
            status = os.fstat(handle)
            alone = S_ISREG(status.st_mode) and status.st_nlink <= 1  # no other name of a file
            if not (alone or S_ISDIR(status.st_mode)):
                raise not_left(partial)
            lock(handle, target)
            # The writer before may have renamed or removed it between the two calls.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), partial.stat(follow_symlinks=False)):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def not_left(partial: Path) -> SpikeError:
    """Return the error of a temporary name that no killed writer of spike has left."""
    return SpikeError(f"{partial}: is not an unfinished file or folder of spike; remove it")


@contextmanager
def named_failures(path: Path) -> Iterator[None]:
    """Name a file or folder in failures to write it, never its temporary name.

    The system names it only when it is opened.
    """
    try:
        yield
    except OSError as error:
        name = str(error.filename or path)
        error.filename = name.replace(str(partial_path(path)), str(path))
        raise


@contextmanager
def durable_file(path: Path, disk: Disk = DISK) -> Iterator[BinaryIO]:
    """Yield a file to write; it takes its name only when the block ends without an exception.

    Raises:
        SpikeError: another process is writing the same file.
    """
    partial = partial_path(path)
    with named_failures(path), disk.create(partial) as file:
        try:
            yield file
            disk.sync(file)
            disk.rename(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    disk.sync_folder(path.parent)


def write_durably(path: Path, data: bytes, disk: Disk = DISK) -> None:
    """Write `data` as the whole content of `path`."""
    with durable_file(path, disk) as file:
        file.write(data)


@contextmanager
def durable_folder(path: Path, disk: Disk = DISK) -> Iterator[Path]:
    """Yield an empty folder to fill with files; it takes its name when the block ends well.

    Its files get mode 0666 less the umask, also those that other libraries wrote.

    Raises:
        FileExistsError: `path` is a file, or a folder with something in it.
        SpikeError: another process is writing the same folder.
    """
    import shutil  # slow to load, and of use here alone

    if path.is_symlink() and path.is_dir():
        path = path.resolve()  # a link to a folder elsewhere, which the result may fill
    # A folder without entries is no loss: rename replaces it.
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(f"{path} exists already")
    partial = partial_path(path)
    with named_failures(path):
        make_folder(path.parent, disk)
        partial.mkdir(exist_ok=True)
        handle = claimed(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with named_failures(path):
            for left in partial.iterdir():  # by a killed writer
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            yield partial
            sync_files(partial, disk)
            disk.rename(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(handle)
    disk.sync_folder(path.parent)


def sync_files(folder: Path, disk: Disk) -> None:
    """Sync all files of a folder to the device, with mode 0666 less the umask."""
    # Libraries that write with `tempfile` leave files that only their owner can read.
    mode = folder.stat().st_mode & 0o666
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            disk.sync_folder(path)
            continue
        if path.stat().st_mode & 0o777 != mode:
            with suppress(OSError):  # file systems without permissions
                path.chmod(mode)
        with path.open("rb+") as file:
            disk.sync(file)
    disk.sync_folder(folder)


def make_folder(path: Path, disk: Disk = DISK) -> None:
    """Make a folder and its parents, each name on the device before the next."""
    if not path.is_dir():
        make_folder(path.absolute().parent, disk)
        path.mkdir(exist_ok=True)
        disk.sync_folder(path.absolute().parent)


@contextmanager
def locked(folder: Path, remark: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Lock a folder against other writers; the lock ends with the process, however it ends.

    Args:
        folder: the folder, which must exist.
        remark: called if the file system has no locks; the block runs all the same.

    Raises:
        SpikeError: another process holds the lock.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        if error := lock(handle, folder):
            why = os.strerror(error.errno or 0)
            remark(f"{folder}: the file system has no locks ({why}); let one process write there")
        yield
    finally:
        os.close(handle)


def is_locked(folder: Path) -> bool:
    """Return whether another process writes a folder (`locked`); False without locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
    finally:
        os.close(handle)
    return False


def check_writable(path: Path) -> None:
    """Check that `path`, a file or a folder that need not exist, can be written.

    Called before the work whose result goes there.

    Raises:
        SpikeError: the nearest folder that exists is read-only, or is not a folder.
    """
    place = path.absolute()
    place = place if place.is_dir() else place.parent
    try:
        while not place.exists():
            place = place.parent
    except OSError as error:
        raise SpikeError(f"{place}: {error.strerror}; choose another output") from None
    if not place.is_dir():
        raise SpikeError(f"{path}: {place} is not a folder; choose another output")
    if not os.access(place, os.W_OK | os.X_OK):
        read_only = os.statvfs(place).f_flag & os.ST_RDONLY
        why = "the file system is read-only" if read_only else "no permission to write there"
        raise SpikeError(f"{path}: {place}: {why}; choose another output")
