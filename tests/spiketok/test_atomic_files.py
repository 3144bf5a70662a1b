"""Files that are whole or absent, whatever operation fails, and written in the order that lasts."""

import errno
import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from spiketok.atomic_files import (
    Disk,
    check_writable,
    durable_file,
    durable_folder,
    is_locked,
    locked,
    write_durably,
)
from spiketok.errors import SpikeError


class RecordingDisk(Disk):
    """Notes each operation and fails at the one with the given number."""

    def __init__(self, fail_at=-1):
        self.operations = []
        self.fail_at = fail_at

    def note(self, operation):
        if len(self.operations) == self.fail_at:
            raise OSError(28, "No space left on device")
        self.operations.append(operation)

    def create(self, path):
        self.note("create")
        return super().create(path)

    def sync(self, file):
        self.note("sync")
        super().sync(file)

    def rename(self, source, target):
        self.note("rename")
        super().rename(source, target)

    def sync_folder(self, folder):
        self.note("sync folder")
        super().sync_folder(folder)


def test_order_of_operations(tmp_path):
    disk = RecordingDisk()
    write_durably(tmp_path / "a", b"new", disk)
    assert disk.operations == ["create", "sync", "rename", "sync folder"]
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("fail_at", range(3))
def test_a_failure_before_the_rename_leaves_the_old_file_alone(tmp_path, fail_at):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(OSError, match="No space"):
        write_durably(tmp_path / "a", b"new", RecordingDisk(fail_at))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_exception_in_the_block_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="stop"), durable_file(tmp_path / "a") as file:
        file.write(b"half")
        raise ValueError("stop")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("write", [durable_file, durable_folder])
def test_a_failure_to_read_in_the_block_names_what_was_read(tmp_path, write):
    with pytest.raises(FileNotFoundError) as caught, write(tmp_path / "a"):
        (tmp_path / "input").read_bytes()
    assert caught.value.filename == str(tmp_path / "input")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fail_at", range(4))
def test_a_folder_appears_whole_or_not_at_all(tmp_path, fail_at):
    disk = RecordingDisk(fail_at)
    with pytest.raises(OSError, match="No space"), durable_folder(tmp_path / "f", disk) as folder:
        (folder / "one").write_bytes(b"1")
        (folder / "two").write_bytes(b"2")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_synced_before_it_takes_its_name(tmp_path):
    disk = RecordingDisk()
    with durable_folder(tmp_path / "f", disk) as folder:
        (folder / "one").write_bytes(b"1")
        (folder / "two").write_bytes(b"2")
    assert disk.operations == ["sync", "sync", "sync folder", "rename", "sync folder"]
    assert {path.name for path in (tmp_path / "f").iterdir()} == {"one", "two"}
    with pytest.raises(FileExistsError), durable_folder(tmp_path / "f"):
        pass


def test_a_folder_replaces_an_empty_one_alone(tmp_path):
    (tmp_path / "f").mkdir()
    with durable_folder(tmp_path / "f") as folder:
        (folder / "one").write_bytes(b"1")
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["one"]


def raising(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_the_work_goes_on_with_a_remark(tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "flock", raising(number))
    heard, ran = [], []
    with locked(tmp_path, heard.append):
        ran.append(1)
    assert ran == [1]
    assert len(heard) == 1
    assert str(tmp_path) in heard[0]


def test_other_failures_of_a_lock_are_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", raising(errno.EIO))
    with pytest.raises(OSError, match="Input/output"), locked(tmp_path):
        pass
    monkeypatch.setattr(fcntl, "flock", raising(errno.EWOULDBLOCK))
    with pytest.raises(SpikeError, match="another process"), locked(tmp_path):
        pass


def test_an_error_of_the_work_is_no_error_of_the_lock(tmp_path):
    heard = []
    with pytest.raises(OSError, match="Invalid"), locked(tmp_path, heard.append):
        raising(errno.EINVAL)()
    assert not heard


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch):
    sync, is_folder = os.fsync, lambda handle: Path(f"/proc/self/fd/{handle}").is_dir()
    refuse = raising(errno.EINVAL)
    monkeypatch.setattr(os, "fsync", lambda f: refuse() if is_folder(f) else sync(f))
    write_durably(tmp_path / "a", b"new")
    with durable_folder(tmp_path / "f") as folder:
        (folder / "one").write_bytes(b"1")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "f"}


def test_what_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    check_writable(tmp_path)
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "new" / "newer" / "a")
    with pytest.raises(SpikeError, match="file is not a folder"):
        check_writable(tmp_path / "file" / "a")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    for path in (tmp_path, tmp_path / "file", tmp_path / "new" / "a"):
        with pytest.raises(SpikeError, match="no permission to write there"):
            check_writable(path)


def test_two_writers_of_one_file_never_mix(tmp_path):
    path = tmp_path / "a"
    with durable_file(path) as first:
        first.write(b"first")
        with pytest.raises(SpikeError, match="a: another process is writing it"):
            write_durably(path, b"second")
    assert path.read_bytes() == b"first"
    write_durably(path, b"third")
    assert path.read_bytes() == b"third"


def test_two_writers_of_one_folder_never_mix(tmp_path):
    with durable_folder(tmp_path / "f") as first:
        (first / "one").write_bytes(b"1")
        with (
            pytest.raises(SpikeError, match="another process is writing it"),
            durable_folder(tmp_path / "f"),
        ):
            pass
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["one"]


def test_what_a_killed_writer_left_is_taken_over(tmp_path):
    (tmp_path / ".a.partial").write_bytes(b"longer than what comes")
    write_durably(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    (tmp_path / ".f.partial" / "deep").mkdir(parents=True)
    (tmp_path / ".f.partial" / "old").write_bytes(b"")
    with durable_folder(tmp_path / "f") as folder:
        assert not list(folder.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"a", "f"}


@pytest.mark.parametrize(
    "make", [Path.symlink_to, Path.hardlink_to, lambda path, _: os.mkfifo(path)]
)
def test_what_no_writer_left_under_the_temporary_name_is_kept(tmp_path, make):
    (tmp_path / "other").write_bytes(b"kept")
    make(tmp_path / ".a.partial", tmp_path / "other")
    with pytest.raises(SpikeError, match=r"\.a\.partial: is not an unfinished file"):
        write_durably(tmp_path / "a", b"new")
    assert (tmp_path / "other").read_bytes() == b"kept"
    assert {path.name for path in tmp_path.iterdir()} == {".a.partial", "other"}


def test_a_link_in_place_of_the_temporary_folder_is_kept(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_bytes(b"kept")
    (tmp_path / ".f.partial").symlink_to("other")
    with (
        pytest.raises(SpikeError, match=r"\.f\.partial: is not an unfinished file"),
        durable_folder(tmp_path / "f"),
    ):
        pass
    assert (tmp_path / "other" / "file").read_bytes() == b"kept"


def test_outputs_that_are_links(tmp_path):
    """A link to a file is replaced; one to an empty folder leads to the folder that is filled."""
    (tmp_path / "other").write_bytes(b"kept")
    (tmp_path / "a").symlink_to("other")
    write_durably(tmp_path / "a", b"new")
    assert (tmp_path / "other").read_bytes() == b"kept"
    assert not (tmp_path / "a").is_symlink()
    (tmp_path / "disk").mkdir()
    (tmp_path / "f").symlink_to("disk")
    with durable_folder(tmp_path / "f") as folder:
        (folder / "file").write_bytes(b"new")
    assert (tmp_path / "f").is_symlink()
    assert (tmp_path / "disk" / "file").read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"other", "a", "disk", "f"}


def test_many_writers_of_one_file_leave_one_of_their_contents(tmp_path):
    def write(number):
        with suppress(SpikeError):
            write_durably(tmp_path / "a", bytes([number]) * 100_000)

    threads = [threading.Thread(target=write, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    content = (tmp_path / "a").read_bytes()
    assert len(content) == 100_000
    assert len(set(content)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_locked_folder_is_seen_and_looking_does_not_stop_a_writer(tmp_path, monkeypatch):
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    # Another process looks at the moment of the first try.
    looking = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(looking))
    with locked(tmp_path):
        assert is_locked(tmp_path)
    monkeypatch.setattr(fcntl, "flock", raising(errno.ENOLCK))
    assert not is_locked(tmp_path)
