"""`[log] to`: the same metrics as metrics.jsonl, and no influence on the training."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from spike_commands.train import metric_loggers

ROOT = Path(__file__).parents[3]
KEPT = ("model.safetensors", "training.safetensors")


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder):
    return [(folder / "checkpoints/step-00000004" / name).read_bytes() for name in KEPT]


@pytest.fixture
def logged(line, tiny, folder, tmp_path, monkeypatch):
    """Train with loggers that record their calls: (folder, their calls, stderr)."""

    def train(failing=None, names=("trackio", "wandb")):
        calls = {name: [] for name in names}

        def opened(name, run):
            if failing == "open":
                raise RuntimeError("no login\nhere")

            def write(step, time, numbers, texts):
                sys.stdout.write(f"{name} prints\n")
                if failing == "write" and step > 1:
                    raise OSError(28, "No space left on device")
                calls[name].append((step, time, numbers, texts))

            def close():
                calls[name].append("closed")
                assert failing != "close"

            calls[name].append(run.step)
            return metric_loggers.MetricLogger(write=write, close=close)

        monkeypatch.setattr(metric_loggers, "find_spec", lambda _: SimpleNamespace())
        monkeypatch.setattr(metric_loggers, "opened", opened)
        to = f"log.to={json.dumps(names)}"
        options = ("--config", "base.toml", *tiny, "--out", str(tmp_path / "run"), "--set", to)
        status, out, err = line("train", *options, "--json")
        assert status == 0
        assert json.loads(out)["step"] == 4
        return tmp_path / "run", calls, err

    return train


def test_each_logger_gets_each_line_and_the_weights_stay(logged, folder):
    run, calls, err = logged()
    assert weights(run) == weights(folder / "runs/base")
    assert "prints" not in err
    for found in calls.values():
        assert (found[0], found[-1]) == (0, "closed")
        for (step, time, numbers, texts), expected in zip(found[1:-1], metrics(run), strict=True):
            assert {"step": step, "time": time, **numbers} == expected
            assert texts == {}


@pytest.mark.parametrize("failing", ["open", "write", "close"])
def test_a_failing_logger_neither_stops_nor_changes_a_training(logged, folder, failing):
    run, calls, err = logged(failing)
    assert weights(run) == weights(folder / "runs/base")
    for name in calls:
        remarks = [one for one in err.splitlines() if one.startswith(f"log.to: {name} failed")]
        assert len(remarks) == 1, err


def test_lines_that_a_killed_program_lost_are_sent_again(folder, tmp_path, monkeypatch):
    found = []
    one = SimpleNamespace(
        open_logger=lambda _: metric_loggers.MetricLogger(
            write=lambda *line: found.append(line[0]), close=lambda: None, last_step=1
        )
    )
    monkeypatch.setattr(metric_loggers, "import_module", lambda *_: one)
    run = metric_loggers.LoggedRun(folder=folder / "runs/base", project="", config="", step=4)
    metric_loggers.opened("trackio", run)
    assert found == [entry["step"] for entry in metrics(folder / "runs/base")][1:]


def test_a_missing_package_is_named_before_training(line, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(metric_loggers, "find_spec", lambda _: None)
    options = ("--config", "base.toml", *tiny, "--out", str(tmp_path / "run"))
    status, out, err = line("train", *options, "--set", 'log.to=["wandb"]')
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "wandb" in err
    assert not (tmp_path / "run").exists()


def test_logs_may_change_in_a_resumed_run(line, folder, tiny, tmp_path, monkeypatch):
    out = str(tmp_path / "run")
    assert line("train", "--config", "base.toml", *tiny, "--out", out, "-q")[0] == 0
    monkeypatch.setattr(metric_loggers, "find_spec", lambda _: SimpleNamespace())
    status, _, err = line("train", "--resume", out, "--set", 'log.to=["tensorboard"]', "-q")
    assert status == 0, err


KILLED = """
import os, sys
import spike_commands.train.progress as shown
from cli import run
show = shown.training_progress
def stopping(*arguments):
    report = show(*arguments)
    def call(progress):
        report(progress)
        if progress.step == 7:
            os._exit(9)
    return call
shown.training_progress = stopping
run(sys.argv[1:])
"""


def test_event_files_of_a_killed_and_resumed_run_have_each_step_once(line, folder, tiny, tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    steps = ("--set", "train.steps=10", "--set", "train.log_every=1", "--set", "checkpoint.every=4")
    options = (*tiny, *steps, "--set", 'log.to=["tensorboard"]', "--out", str(tmp_path / "run"))
    command = [sys.executable, "-c", KILLED, "train", "--config", "base.toml", *options, "-q"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    assert subprocess.run(command, cwd=folder, env=environment).returncode == 9
    assert line("train", "--resume", str(tmp_path / "run"), "-q")[0] == 0
    read = events.EventAccumulator(str(tmp_path / "run/tensorboard"))
    read.Reload()
    expected = metrics(tmp_path / "run")
    for name in ("loss", "learning_rate", "validation_bits_per_byte"):
        has = [entry for entry in expected if name in entry]
        found = read.Scalars(name)
        assert [event.step for event in found] == [entry["step"] for entry in has]
        assert [event.value for event in found] == pytest.approx([entry[name] for entry in has])
        times = [entry["time"] for entry in has]
        assert [event.wall_time for event in found] == pytest.approx(times)
