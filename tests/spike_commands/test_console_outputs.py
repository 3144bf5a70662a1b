"""Every command checks before its work that its output can be written."""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli import spike
from spike_commands.console import OutputPath
from spiketok.atomic_files import durable_folder

CLI = Path(__file__).parents[2] / "cli.py"
OUTPUTS = {"--out", "--to", "--html"}


def commands(group, names=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name), command


def test_options_that_name_an_output_are_checked():
    found = 0
    for names, command in commands(spike):
        for parameter in command.params:
            if OUTPUTS & {*parameter.opts}:
                found += 1
                assert isinstance(parameter.type, OutputPath), (names, parameter.opts)
    assert found >= 11


@pytest.mark.parametrize(
    "words",
    [
        ["tokenizer", "train", "corpus/", "--out", "closed/t.json"],
        ["tokenizer", "view", "held.txt", "--html", "closed/t.html"],
        ["shard", "--out", "closed/data"],
        ["train", "--config", "base.toml", "--out", "closed/run"],
        ["compress", "held.txt", "-m", "runs/base", "-o", "closed/a"],
        ["decompress", "held.txt", "-m", "runs/base", "-o", "closed/a"],
        ["pack", "runs/base", "--out", "closed/a.spike"],
        ["unpack", "a.spike", "--to", "closed/run"],
        ["export", "tokenizer", "--to", "closed/a"],
        ["export", "model", "runs/base", "--to", "closed/a"],
        ["import", "a", "--to", "closed/a"],
    ],
    ids=" ".join,
)
def test_a_closed_folder_is_named(line, monkeypatch, words):
    Path("closed").mkdir(exist_ok=True)
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, *mode: Path(path).name != "closed" and allowed(path, *mode)
    )
    status, out, err = line(*words)
    assert (status, out) == (1, "")
    assert "no permission to write there; choose another output" in err
    assert err.count("\n") == 1
    assert not list(Path("closed").iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["tokenizer", "inspect", "tokenizer.json"],
    ],
    ids=" ".join,
)
def test_standard_output_is_named_when_it_is_full(folder, words):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, CLI, *words], cwd=folder, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    told = "spike: standard output: No space left on device; make room and run again\n"
    assert done.stderr.decode() == told


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["tokenizer", "train", "-", "--out", "full.json"], "-: its copy in "),
        (["tokenizer", "train", "corpus", "--out", "full.json"], "full.json: "),
        (["train", "--resume", "full"], "full/metrics.jsonl: "),
    ],
    ids=["standard input", "one file", "run"],
)
def test_files_are_named_when_there_is_no_room(folder, tmp_path, words, named):
    """A limit of the size of files stands for a full disk."""
    if words[0] == "train":
        shutil.copytree(folder / "runs/base", tmp_path / "full")
        shutil.rmtree(tmp_path / "full/checkpoints/step-00000004")
    shutil.copytree(folder / "corpus", tmp_path / "corpus")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))

    done = subprocess.run(
        [sys.executable, CLI, *words],
        cwd=tmp_path,
        input=b"the fox\n" * 1000,
        capture_output=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        preexec_fn=limit,
    )
    assert done.returncode == 1
    line = done.stderr.decode().splitlines()[-1]
    assert named in line
    assert "large" in line
    assert "defect" not in line


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system of Linux")
@pytest.mark.parametrize(
    "words",
    [
        ["tokenizer", "train", "corpus/", "--vocab", "400", "--out"],
        ["shard", "corpus/", "--out"],
        ["compress", "held.txt", "-m", "runs/base", "-o"],
        ["pack", "runs/base", "--method", "rtn", "--out"],
        ["export", "tokenizer", "--to"],
        ["export", "model", "runs/base", "--to"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_written_is_worded_in_one_way(line, words):
    status, out, err = line(*words, "/proc/spike-output")
    assert (status, out) == (1, "")
    assert "choose another output" in err
    assert "/proc/spike-output: " in err or "/proc: " in err
    assert not re.search(r"partial|name another|run again", err)


@pytest.mark.parametrize(
    "words",
    [
        ["tokenizer", "train", "corpus/", "--out"],
        ["tokenizer", "view", "held.txt", "--html"],
        ["compress", "held.txt", "-m", "runs/base", "-o"],
        ["decompress", "held.txt", "-m", "runs/base", "-o"],
        ["pack", "runs/base", "--data", "nowhere", "--out"],
    ],
    ids=" ".join,
)
def test_a_file_in_a_folder_that_is_missing_is_refused_before_the_work(line, words):
    status, out, err = line(*words, "nowhere/a")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "nowhere/a: there is no folder nowhere; make it, or choose another --" in err


def test_temporary_names_are_never_told(tmp_path):
    path = tmp_path / "made"
    with pytest.raises(FileNotFoundError) as caught, durable_folder(path) as folder:
        (folder / "no/such").write_bytes(b"")
    assert caught.value.filename == str(path / "no/such")


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize(
    "words",
    [["tokenizer", "train", "X"], ["shard", "X"], ["eval", "runs/base", "--text", "X"]],
    ids=" ".join,
)
def test_an_empty_file_is_an_error_everywhere(line, tmp_path, name, words):
    (tmp_path / name).touch()
    status, out, err = line(*(str(tmp_path / name) if word == "X" else word for word in words))
    assert (status, out) == (1, "")
    assert f"{name}: the file is empty; name a file with text" in err
