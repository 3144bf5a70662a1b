"""`spike runs`: states, lineage, damaged runs, and the width of its tables."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from spike_commands.report.run_rows import run_lines, shortened
from spike_commands.report.run_summary import RunSummary
from spiketok.atomic_files import locked
from tests.conftest import schema_of

SCHEMA = schema_of("runs")


@pytest.fixture
def runs(folder, tmp_path):
    """Copies of a finished run, and what else may be in a folder of runs."""
    names = ("a", "deep/er/b", "interrupted", "no-metrics", "cut", "no-lineage", "bad", "newer")
    for name in names:
        shutil.copytree(folder / "runs/base", tmp_path / name)
    shutil.rmtree(tmp_path / "interrupted/checkpoints/step-00000004")
    (tmp_path / "no-metrics/metrics.jsonl").unlink()
    with (tmp_path / "cut/metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    (tmp_path / "no-lineage/run.json").unlink()
    (tmp_path / "bad/metrics.jsonl").write_text('{"step": 1}\n[]\n')
    lineage = (tmp_path / "newer/run.json").read_text()
    (tmp_path / "newer/run.json").write_text(lineage.replace('"format": 1', '"format": 2'))
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_each_state_and_its_reason(line, runs):
    with locked(runs / "a"):
        status, out, _ = line("runs", str(runs), "--json")
    assert status == 0
    jsonschema.validate(json.loads(out), SCHEMA)
    found = {Path(run["run"]).relative_to(runs).as_posix(): run for run in json.loads(out)["runs"]}
    assert {name: run["state"] for name, run in found.items()} == {
        "a": "running",
        "deep/er/b": "finished",
        "interrupted": "interrupted",
        "no-metrics": "finished",
        "cut": "finished",
        "no-lineage": "damaged",
        "bad": "damaged",
        "newer": "damaged",
    }
    assert "metrics.jsonl:2: " in found["bad"]["reason"]
    assert "format 2" in found["newer"]["reason"]
    last = json.loads((runs / "a/metrics.jsonl").read_text().splitlines()[-1])
    for name in ("a", "cut"):
        assert found[name]["step"] == 4
        assert found[name]["loss"] == last["loss"]
        assert found[name]["score"] == last["validation_bits_per_byte"]
        assert found[name]["tokens"] == last["tokens"]
    assert found["no-metrics"]["step"] == 4
    assert found["no-metrics"]["loss"] is None


def test_a_run_that_began_with_anothers_weights_names_it(folder, line, tiny):
    init = ["train", "--config", "base", *tiny, "--init", "runs/base", "--out", "runs/continued"]
    assert line(*init, "--set", "train.steps=1", "-q")[0] == 0
    try:
        found = json.loads(line("runs", "--json")[1])["runs"]
    finally:
        shutil.rmtree(folder / "runs/continued")
    parents = {run["run"]: run["parent"] for run in found}
    assert parents["runs/continued"] == "runs/base"
    assert parents["runs/base"] is None


@pytest.mark.parametrize("place", ["nothing", "corpus", "held.txt"])
def test_a_folder_without_runs_is_an_error_of_one_line(line, place):
    status, out, err = line("runs", place)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"spike: {place}: ")


def test_tables_fit_80_columns(line, runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = line("runs", str(runs))
    assert status == 0
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert "metrics.jsonl:2" in out


def test_large_numbers_and_long_names_fit_80_columns():
    run = RunSummary(
        folder=Path("runs") / ("x" * 70),
        state="interrupted",
        step=1_000_000,
        steps=2_000_000,
        loss=10.123456,
        score_name="bits_per_byte",
        score=12.3456789,
        tokens_per_second=1_234_567.8,
        fingerprints={"tokenizer": "a" * 64, "data": "b" * 64, "init": "c" * 64},
        parent=Path("runs/b"),
    )
    other = RunSummary(folder=Path("runs/b"), state="weights")
    found = list(run_lines([run, other], Path("runs"), 80))
    assert max(map(len, found)) <= 80
    assert found[-1].split() == ["1", "a" * 12, "b" * 12, "c" * 12, "(2)"]


def test_shortened_names_keep_both_ends():
    assert [len(shortened("abcdefghij" * 3, width)) for width in range(3, 30)] == [*range(3, 30)]
