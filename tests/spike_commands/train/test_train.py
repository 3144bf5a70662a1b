"""`spike train` as a process: killed, stopped and resumed, it ends where an unbroken run ends."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from errno import ENOSPC
from pathlib import Path

import pytest

from spike_lm.model.training import trainer
from spiketok import Tokenizer
from spiketok.atomic_files import locked

CLI = Path(__file__).parents[3] / "cli.py"
REACHED = "checkpoints/step-00000020"
LONGER = [
    *("--set", "train.steps=300", "--set", "train.log_every=1"),
    *("--set", "checkpoint.every=20", "--set", "checkpoint.keep=100"),
]


def contents(run):
    """The last checkpoint and all that was logged, the speed and time of the steps apart."""
    last = run / "checkpoints/step-00000300"
    found = {path.name: path.read_bytes() for path in last.iterdir()}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return found, [{**line, "tokens_per_second": None, "time": None} for line in lines]


@pytest.fixture(scope="module")
def unbroken(folder, tiny, process):
    """A run of 300 steps that nothing disturbed, and the options that made it."""
    options = ["--config", "base.toml", "--quiet", *tiny, *LONGER, "--set", "train.threads=2"]
    done = process(folder, "train", *options, "--out", "runs/unbroken")
    assert done.returncode == 0, done.stderr
    return options, contents(folder / "runs/unbroken")


def start_and_signal(folder, options, out, number):
    """Start a run and send it a signal after its 20th step; return its exit status and stderr."""
    command = [sys.executable, str(CLI), "train", *options, "--out", out]
    started = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    while started.poll() is None and not (folder / out / REACHED).exists():
        time.sleep(0.005)
    started.send_signal(number)
    _, errors = started.communicate()
    return started.returncode, errors


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_resuming_gives_the_bytes_of_an_unbroken_run(folder, process, unbroken, number, status):
    options, expected = unbroken
    out = f"runs/{number.name}"
    found, errors = start_and_signal(folder, options, out, number)
    assert found == status, errors
    steps = len((folder / out / "metrics.jsonl").read_text().splitlines())
    assert 20 <= steps < 300
    done = process(folder, "train", "--resume", out, "--quiet")
    assert done.returncode == 0, done.stderr
    assert contents(folder / out) == expected


def test_resume_accepts_the_same_configuration_only(line, unbroken):
    options, _ = unbroken
    status, _, errors = line("train", *options, "--resume", "runs/unbroken")
    assert status == 0
    assert errors == ""
    again = line("train", "--resume", "runs/unbroken")
    assert "finished already" in again[2]
    for extra in (["--set", "train.grad_clip=2"], ["--out", "runs/other"]):
        status, _, errors = line("train", *options, *extra, "--resume", "runs/unbroken")
        assert (status, errors.count("\n")) == (2, 1)


def test_a_run_that_could_not_begin_does_not_block_its_folder(line, tiny):
    options = ["--config", "base", *tiny, "--quiet", "--out", "runs/late"]
    status, _, errors = line("train", *options, "--set", "model.context=100000")
    assert status == 1
    assert "too few" in errors
    assert line("train", *options)[0] == 0


def test_resuming_finds_the_data_that_the_run_began_with(line, folder, tiny, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").symlink_to(folder / "data")
    options = ["--config", "base", *tiny, "--quiet", "--out", str(tmp_path / "run")]
    assert line("train", *options, "--data", str(tmp_path / "elsewhere"))[0] == 0
    monkeypatch.chdir(tmp_path)
    assert line("train", "--resume", "run")[0] == 0


@pytest.mark.parametrize("writer", ["append_metrics", "sync_metrics", "save_run"])
def test_a_full_disk_names_what_goes_on(line, tiny, tmp_path, monkeypatch, writer):
    """Once there are metrics or a checkpoint the same command would be refused."""
    before, calls = getattr(trainer, writer), []

    def fill(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError(ENOSPC, os.strerror(ENOSPC), str(tmp_path / "run/some file"))
        return before(*arguments)

    monkeypatch.setattr(trainer, writer, fill)
    options = ["--config", "base", *tiny, "--quiet", "--out", str(tmp_path / "run")]
    again = f"spike train --resume {tmp_path / 'run'}"
    told = f"spike: {tmp_path}/run/some file: No space left on device; make room and go on with: "
    assert line("train", *options) == (1, "", f"{told}{again}\n")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert line(*shlex.split(again)[1:], "--quiet")[0] == 0


def test_a_full_disk_before_the_first_step_lets_the_command_run_again(
    line, tiny, tmp_path, monkeypatch
):
    def fill(path, metrics):
        raise OSError(ENOSPC, os.strerror(ENOSPC), str(path))

    options = ["--config", "base", *tiny, "--quiet", "--out", str(tmp_path / "run")]
    with monkeypatch.context() as patched:
        patched.setattr(trainer, "append_metrics", fill)
        status, _, errors = line("train", *options)
    assert status == 1
    assert errors.endswith("No space left on device; make room and run again\n")
    assert line("train", *options)[0] == 0


def test_a_run_has_one_writer(line, folder, unbroken):
    with locked(folder / "runs/unbroken"):
        status, _, errors = line("train", "--resume", "runs/unbroken")
    assert status == 1
    assert "another process" in errors


def test_an_edited_step_is_noticed(line, folder, unbroken):
    shutil.copytree(folder / "runs/unbroken", folder / "runs/edited")
    state = folder / "runs/edited/checkpoints/step-00000300/state.json"
    state.write_text(state.read_text().replace('"step": 300', '"step": 30'))
    status, _, errors = line("train", "--resume", "runs/edited")
    assert (status, errors.count("\n")) == (1, 1)
    assert "step 30 is not the folder's" in errors


def test_a_run_of_weights_alone_is_not_resumed(line, folder, unbroken):
    assert line("pack", "runs/unbroken", "--out", "whole.spike", "--method", "rtn", "-q")[0] == 0
    assert line("unpack", "whole.spike", "--to", "runs/unpacked")[0] == 0
    status, _, errors = line("train", "--resume", "runs/unpacked")
    assert (status, errors.count("\n")) == (1, 1)
    assert "--init runs/unpacked" in errors


@pytest.fixture
def project(line, folder, tiny, tmp_path):
    """A project of its own: data and a run of it that was stopped."""
    shutil.copytree(folder / "data", tmp_path / "here/data")
    made = [*("--data", str(tmp_path / "here/data")), *("--out", str(tmp_path / "here/runs/run"))]
    assert line("train", "--config", "base", *tiny, *made, "--quiet")[0] == 0
    shutil.rmtree(tmp_path / "here/runs/run/checkpoints/step-00000004")
    return tmp_path / "here"


def test_a_moved_project_resumes(line, project):
    moved = project.rename(project.with_name("there"))
    status, output, errors = line("train", "--resume", str(moved / "runs/run"), "--json", "-q")
    assert (status, errors) == (0, "")
    assert json.loads(output)["step"] == 4
    assert (moved / "runs/run/checkpoints/step-00000004").is_dir()


def test_a_run_without_its_data_names_the_option(line, project, folder, tmp_path):
    run = (project / "runs/run").rename(tmp_path / "run")
    (project / "data").rename(tmp_path / "moved")
    status, _, errors = line("train", "--resume", str(run))
    assert (status, errors.count("\n")) == (1, 1)
    assert "name the shards with --data" in errors
    assert line("train", "--resume", str(run), "--data", str(tmp_path / "moved"), "-q")[0] == 0


@pytest.mark.parametrize("checkpoints", [True, False])
def test_other_data_is_refused_by_its_fingerprint(checkpoints, line, project):
    again = ["shard", "corpus/", "--validation", "0.2", "--overwrite", "-q"]
    assert line(*again, "--out", str(project / "data"))[0] == 0
    if not checkpoints:
        shutil.rmtree(project / "runs/run/checkpoints")
    status, _, errors = line("train", "--resume", str(project / "runs/run"))
    assert (status, errors.count("\n")) == (1, 1)
    assert f"{project}/data: shards of other text (" in errors
    assert "name those shards (--data)" in errors


@pytest.mark.parametrize("checkpoints", [True, False])
@pytest.mark.parametrize("what", ["tokenizer", "data"])
def test_a_damaged_fingerprint_does_not_blame_the_shards(checkpoints, what, line, project):
    run = project / "runs/run"
    lineage = json.loads((run / "run.json").read_text())
    value = lineage["fingerprints"][what]
    lineage["fingerprints"][what] = value[:-1] + ("0" if value[-1] != "0" else "1")
    (run / "run.json").write_text(json.dumps(lineage))
    if not checkpoints:
        shutil.rmtree(run / "checkpoints")
    status, _, errors = line("train", "--resume", str(run))
    assert (status, errors.count("\n")) == (1, 1)
    assert f"{run}/run.json" in errors
    assert "restore" in errors
    assert "copy " + str(project) not in errors
    assert value in errors  # all of it, for only its last digit differs


def fingerprint(tokenizer):
    return Tokenizer.load(tokenizer).fingerprint[:12]


@pytest.mark.parametrize("vocab", ["399", "400"])
@pytest.mark.parametrize("own", ["whole", "missing", "damaged"])
def test_shards_of_another_tokenizer_are_never_said_to_be_the_runs(own, vocab, line, project):
    """Copying their tokenizer into the run would make its weights worthless."""
    other, run = project / "other", project / "runs/run"
    words = project / "words.txt"
    words.write_text("zebras yawn under violet willows\n\n" * 400)
    tokenizer = str(project / "other.json")
    trained = [str(words), "--vocab", vocab, "--out", tokenizer, "-q"]
    assert line("tokenizer", "train", *trained)[0] == 0
    sharded = [str(words), "--tokenizer", tokenizer, "--out", str(other), "-q"]
    assert line("shard", *sharded, "--split-text", "paragraphs", "--validation", "0.2")[0] == 0
    ours = fingerprint(run / "tokenizer.json")
    if own == "missing":
        (run / "tokenizer.json").unlink()
    elif own == "damaged":
        (run / "tokenizer.json").write_text("{")
    status, _, errors = line("train", "--resume", str(run), "--data", str(other))
    assert (status, errors.count("\n")) == (1, 1)
    theirs = fingerprint(other / "tokenizer.json")
    assert f"{other}: its tokenizer is {theirs}…, but that of " in errors
    assert f" is {ours}…; name shards made with " in errors
    assert (f"{run}/tokenizer.json is {own}" in errors) == (own != "whole")
    assert "copy" not in errors


@pytest.mark.parametrize("own", ["missing", "damaged"])
def test_the_runs_tokenizer_is_copied_from_data_that_has_it(own, line, project):
    run = project / "runs/run"
    (run / "tokenizer.json").write_text("{") if own == "damaged" else (
        run / "tokenizer.json"
    ).unlink()
    status, _, errors = line("train", "--resume", str(run))
    assert (status, errors.count("\n")) == (1, 1)
    assert f"{own}; copy {project}/data/tokenizer.json there" in errors
    shutil.copy(project / "data/tokenizer.json", run)
    assert line("train", "--resume", str(run), "-q")[0] == 0


@pytest.mark.parametrize("how", ["damaged", "missing", "torn"])
def test_the_only_checkpoint_is_said_to_be_the_only_one(how, line, project):
    run = project / "runs/run"
    (only,) = (run / "checkpoints").iterdir()
    weights = only / "model.safetensors"
    if how == "damaged":
        weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    elif how == "missing":
        weights.unlink()
    else:
        (only / "state.json").write_text("{")
    status, _, errors = line("train", "--resume", str(run))
    assert (status, errors.count("\n")) == (1, 1)
    assert f"{only.name} is the only checkpoint" in errors
    assert "begins again at step 0" in errors
    older = shutil.copytree(only, run / "checkpoints/step-00000001")
    errors = line("train", "--resume", str(run))[2]
    assert f"move {only.name} away to resume from {older.name}" in errors
    shutil.rmtree(older)
    shutil.rmtree(only)
    status, _, errors = line("train", "--resume", str(run))
    assert status == 0
    assert f"{run} has no checkpoint; it begins again at step 0\n" in errors


def test_set_on_resume_says_what_may_change(line, project, tmp_path):
    run = str(project / "runs/run")
    status, _, errors = line("train", "--resume", run, "--set", "train.steps=9")
    assert (status, errors.count("\n")) == (2, 1)
    for words in ("only data.path", "distill.teachers", f"--init {run} --config {run}/config.toml"):
        assert words in errors
    (project / "data").rename(tmp_path / "moved")
    assert line("train", "--resume", run, "--set", f"data.path={tmp_path}/moved", "-q")[0] == 0
