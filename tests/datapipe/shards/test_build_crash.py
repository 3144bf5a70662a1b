"""Whatever ends a run, and wherever: the next run makes the folder as if nothing had happened."""

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datapipe import ShardSettings, find_sources, verify_folder, write_shards
from datapipe.shards import plan
from spiketok.atomic_files import PARTIAL, Disk
from spiketok.errors import SpikeError

ROOT = Path(__file__).parents[3]

KILLED = """
import os, signal, sys
from pathlib import Path
from datapipe import ShardSettings, find_sources, write_shards
from datapipe.shards import plan, writer
from datapipe.sources import lines
from spiketok.atomic_files import Disk

plan.UNIT_BYTES, writer.BATCH_TOKENS = 6000, 700
lines.BLOCK_BYTES, lines.PIECE_BYTES = 3000, 1000
corpus, tokenizer, out, when, wanted = sys.argv[1:]

class Deadly(Disk):
    seen = 0

    def rename(self, source, target):
        if when == "before":
            self.count(target)
        super().rename(source, target)
        if when == "after":
            self.count(target)

    def count(self, target):
        Deadly.seen += target.parent.name == "records"
        if Deadly.seen == int(wanted):
            os.kill(os.getpid(), signal.SIGKILL)

settings = ShardSettings(validation=0.2, shard_tokens=2000)
sources, _ = find_sources([Path(corpus)])
write_shards(sources, Path(tokenizer), Path(out), settings, workers=3, disk=Deadly())
"""


@pytest.mark.parametrize(("when", "record"), [("after", 1), ("before", 9), ("after", 17)])
def test_killed_run_goes_on(shard, content_of, corpus, tokenizer_path, tmp_path, when, record):
    out = tmp_path / "data"
    command = [sys.executable, "-c", KILLED, corpus, tokenizer_path, out, when, str(record)]
    killed = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (out / "manifest.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in (out / "records").glob("unit-*.json")}
    shard(out, workers=1)
    shard(tmp_path / "clean")
    assert content_of(out) == content_of(tmp_path / "clean")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert verify_folder(out) == []


class Failing(Disk):
    """Raises at the k-th operation, and at all that follow, as a full disk does."""

    def __init__(self, k):
        self.left = k

    def spend(self):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(self, path):
        self.spend()
        return super().create(path)

    def sync(self, file):
        self.spend()
        super().sync(file)

    def rename(self, source, target):
        self.spend()
        super().rename(source, target)

    def sync_folder(self, folder):
        self.spend()
        super().sync_folder(folder)


def test_disk_may_fail_at_every_operation(content_of, tmp_path, tokenizer_path, monkeypatch):
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"text": f"the {number} and " * (number % 7)}) for number in range(150)]
    path.write_text("\n".join(lines))
    monkeypatch.setattr(plan, "UNIT_BYTES", 4000)
    settings = ShardSettings(validation=0.2, shard_tokens=700)
    sources, _ = find_sources([path])

    def run(out, disk):
        write_shards(sources, tokenizer_path, out, settings, workers=1, disk=disk)

    run(tmp_path / "clean", Disk())
    clean = content_of(tmp_path / "clean")
    for k in itertools.count():
        out = tmp_path / f"failed-{k}"
        try:
            run(out, Failing(k))
            break
        except SpikeError as error:
            assert "No space left on device; make room and run again" in str(error)
        assert not list(out.rglob(f".*{PARTIAL}"))
        run(out, Disk())
        assert content_of(out) == clean
    assert k > 4 * len(clean)


def test_disk_that_fails_again_and_again_is_outlasted(shard, content_of, tmp_path):
    shard(tmp_path / "clean")
    out = tmp_path / "data"
    for failures in range(1000):
        try:
            shard(out, disk=Failing(30 + failures % 7), workers=1 + failures % 3)
            break
        except SpikeError as error:
            assert "No space left on device" in str(error)
    assert failures > 10
    assert content_of(out) == content_of(tmp_path / "clean")


class Recording(Disk):
    """Remembers the operations in order."""

    def __init__(self):
        self.operations = []

    def create(self, path):
        self.operations.append(("create", path.name))
        return super().create(path)

    def sync(self, file):
        # What is synced must be all there is: nothing may be written after it.
        super().sync(file)
        name = Path(file.name).name
        self.operations.append(("sync", name, os.fstat(file.fileno()).st_size))

    def rename(self, source, target):
        size = source.stat().st_size
        super().rename(source, target)
        self.operations.append(("rename", source.name, target.name, size))

    def sync_folder(self, folder):
        super().sync_folder(folder)
        self.operations.append(("sync_folder", folder.name))


def test_files_are_synced_before_they_are_named_and_shards_before_their_records(shard, tmp_path):
    disk = Recording()
    shard(tmp_path / "data", disk=disk, workers=1)
    operations = disk.operations
    named = [operation[2] for operation in operations if operation[0] == "rename"]
    for position, operation in enumerate(operations):
        if operation[0] == "rename":
            _, temporary, name, size = operation
            assert operations[position - 1] == ("sync", temporary, size)
            assert ("create", temporary) in operations[:position]
            folder = "records" if name.startswith(("unit-", "train", "validation")) else "data"
            if name.endswith(".arrow"):
                folder = "data"
                record = name.replace(".arrow", ".json")
                assert named.index(record) > named.index(name)
            assert operations[position + 1] == ("sync_folder", folder)
    assert named[0] == "plan.json"
    assert named[-1] == "manifest.json"


def test_orphans_and_gaps_are_done_again(shard, content_of, tmp_path):
    out = tmp_path / "data"
    shard(out)
    clean = content_of(out)
    (out / "manifest.json").unlink()
    (out / ".train-000000-000.arrow.partial").write_bytes(b"half")
    (out / "train-000000-000.arrow").unlink()
    (out / "train-000099-000.arrow").write_bytes(b"of no unit")
    (out / "records" / "unit-000002.json").unlink()
    (out / "records" / "train-000003-000.json").write_bytes(b"{}")
    shard(out)
    assert content_of(out) == clean


def test_finished_shards_are_not_encoded_again(shard, tmp_path, monkeypatch):
    from datapipe.shards import worker as unit

    out = tmp_path / "data"
    shard(out)
    (out / "manifest.json").unlink()
    for record in (out / "records").glob("unit-*.json"):
        record.unlink()
    monkeypatch.setattr(unit, "encode_documents", None)
    shard(out)
    assert verify_folder(out) == []
