"""Every command checks before its work that its output can be written."""

import os
from pathlib import Path

import click
import pytest

from cli import spike
from spike_commands.console import OutputPath

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
