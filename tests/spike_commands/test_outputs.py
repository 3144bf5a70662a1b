"""Every command checks before its work that its output can be written."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli import spike
from spike_commands.console import OutputPath

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
    assert done.stderr == b"spike: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["tokenizer", "train", "-", "--out", "full.json"], "/spike-"),
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
