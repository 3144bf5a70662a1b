"""Others may read what spike writes, and a file that cannot be read is never called damaged."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spiketok.atomic_files import durable_folder

CLI = Path(__file__).parents[1] / "cli.py"
RUN_FILES = ("run.json", "config.toml", "state.json", "model.safetensors", "training.safetensors")


@pytest.fixture
def masked(request):
    """The umask of a test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("masked", [0o022, 0o027, 0o002], indirect=True)
def test_every_file_has_the_mode_that_the_umask_leaves(masked, line, tiny, tmp_path):
    short = [*tiny, "--set", "train.steps=1", "--set", "model.vocab_size=0"]
    places = [f"--data={tmp_path}/data", f"--out={tmp_path}/run"]
    for command in (
        ["tokenizer", "train", "corpus/", "--vocab", "400", "--out", f"{tmp_path}/t.json"],
        ["shard", "corpus/", "--tokenizer", f"{tmp_path}/t.json", "--out", f"{tmp_path}/data"],
        ["train", "--config", "base", *short, *places],
        ["export", "model", f"{tmp_path}/run", "--to", f"{tmp_path}/model"],
        ["export", "tokenizer", f"{tmp_path}/t.json", "--to", f"{tmp_path}/tokenizer"],
        ["pack", f"{tmp_path}/run", "--method", "rtn", "--out", f"{tmp_path}/run.spike"],
        ["compress", "held.txt", "-m", f"{tmp_path}/run", "-o", f"{tmp_path}/held.spikez"],
    ):
        status, _, errors = line(*command, "--quiet")
        assert status == 0, errors
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"metrics.jsonl", "model.safetensors", "training.safetensors", "manifest.json"} <= {
        path.name for path in files
    }
    modes = {str(path): oct(path.stat().st_mode & 0o777) for path in files}
    assert modes == dict.fromkeys(modes, oct(0o666 & ~masked))


def test_a_file_system_without_permissions_keeps_what_it_has(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with durable_folder(tmp_path / "made") as folder:
        (folder / "secret").touch(0o600)
    assert (tmp_path / "made/secret").exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ENOENT], ids=os.strerror)
@pytest.mark.parametrize("name", RUN_FILES)
def test_a_file_that_cannot_be_read_is_not_called_damaged(name, number, line, monkeypatch):
    opened = os.open

    def open_or_refuse(path, *arguments, **options):
        if Path(path).name == name:
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", open_or_refuse)
    status, _, errors = line("generate", "runs/base", "the", "--max-tokens", "3")
    assert (status, errors.count("\n")) == (1, 1)
    assert name in errors
    if number != errno.ENOENT:
        assert os.strerror(number) in errors
    for advice in ("remove", "delete", "damaged", "defect", "export again"):
        assert advice not in errors


def test_weights_that_became_unreadable_after_their_check(folder, monkeypatch):
    from torch import nn

    from spike_lm.model.runs.checkpoint import load_weights
    from spiketok.errors import SpikeError

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SpikeError, match=r"model\.safetensors: Permission denied; make it read"):
        load_weights(folder / "runs/base/checkpoints/step-00000004", nn.Linear(1, 1))


@pytest.mark.parametrize("command", [("data", "inspect", "data"), ("tokenizer", "encode", "a")])
def test_a_reader_that_leaves_is_no_failure(command, folder):
    """A pipe whose other end is closed takes nothing at all."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, str(CLI), *command], cwd=folder, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_finished_run_says_that_it_was_finished(line, tiny, tmp_path):
    first = ["train", "--config", "base", *tiny, "--out", str(tmp_path / "run"), "-q", "--json"]
    made = json.loads(line(*first)[1])
    status, output, errors = line("train", "--resume", str(tmp_path / "run"), "--json")
    again = json.loads(output)
    again.pop("xz_bits_per_byte")  # beside scores unless --quiet
    assert status == 0
    assert "finished already" in errors
    assert (made["already_finished"], again["already_finished"]) == (False, True)
    assert again == {**made, "seconds": again["seconds"], "already_finished": True}
