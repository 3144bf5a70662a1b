"""`spike plan` on a tiny corpus: its twelve probes, its file, and a second call after a stop."""

import json
import shutil
import signal

import pytest

from spike_commands.plan import recipe
from spike_lm.model import load_config

# Narrow enough that twelve probes take seconds.
SETTINGS = [
    *("--set", "model.layers=1", "--set", "model.dim=32", "--set", "model.heads=2"),
    *("--set", "model.kv_heads=1", "--set", "model.head_dim=16", "--set", "model.ffn_dim=64"),
    *("--set", "model.context=32", "--set", "train.batch_size=4", "--set", "train.threads=1"),
    *("--set", "train.micro_batch_size=4", "--set", "train.device=cpu"),
]


@pytest.fixture
def command(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "measured_speed", lambda *_: 3e9)
    return [
        *("plan", "--data", str(folder / "data"), "--minutes", "0.1", *SETTINGS),
        *("--folder", str(tmp_path / "plan"), "--out", str(tmp_path / "plan.toml")),
    ]


def test_a_plan_is_a_file_to_train_with_and_its_probes_are_used_again(line, command, tmp_path):
    status, output, errors = line(*command, "--json", "-q")
    assert (status, errors) == (0, "")
    found = json.loads(output)
    probes = found["probes"]
    assert len(probes) == 12
    assert len({probe["dim"] for probe in probes}) == 4
    assert len({(probe["dim"], probe["steps"]) for probe in probes}) == 12
    low, high = found["predicted"]["interval"]
    assert low < found["predicted"]["bits_per_byte"] < high
    config = load_config(str(tmp_path / "plan.toml"))
    assert config.train.steps == found["steps"]
    assert config.train.batch_size == found["batch_size"]
    assert config.model.dim == found["model"]["dim"]
    assert config.optimizer == load_config("base").optimizer
    short = ("--set", "train.steps=2", "--out", str(tmp_path / "run"), "-q")
    assert line("train", "--config", str(tmp_path / "plan.toml"), *short)[0] == 0
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("plan/probes/*/metrics.jsonl")}
    assert len(times) == 12
    shutil.rmtree(next(tmp_path.glob("plan/probes/w*")))
    assert json.loads(line(*command, "--json", "-q")[1])["probes"][3]["run"] == probes[3]["run"]
    kept = [path for path, time in times.items() if path.stat().st_mtime_ns == time]
    assert len(kept) == 11
    rows = line(*command)
    assert rows[1].startswith("predicted  ")
    assert f"next: spike train --config {tmp_path / 'plan.toml'}" in rows[2]
    status, _, errors = line(*command, "--probe-minutes", "0.1")
    assert (status, errors.count("\n")) == (1, 1)
    assert "is of a plan with other probe minutes; choose another --folder" in errors


def test_a_signal_stops_and_a_second_call_goes_on(line, command, tmp_path, monkeypatch):
    train, calls = recipe.run_probes.__globals__["train_run"], []

    def stopping(*arguments, signals, **options):
        calls.append(arguments[2])
        if len(calls) == 3:
            signals.remember(signal.SIGINT)
        return train(*arguments, signals=signals, **options)

    monkeypatch.setitem(recipe.run_probes.__globals__, "train_run", stopping)
    status, output, errors = line(*command)
    assert (status, output) == (128 + signal.SIGINT, "")
    assert "the same command goes on with" in errors
    assert not (tmp_path / "plan.toml").exists()
    assert len(list(tmp_path.glob("plan/probes/*"))) == 3
    assert line(*command, "-q")[0] == 0
    assert (tmp_path / "plan.toml").exists()


@pytest.mark.slow
def test_a_text_is_tokenized_and_sharded_once(line, command, folder, tmp_path):
    at = command.index("--data")
    words = [*command[:at], "--text", str(folder / "corpus"), *command[at + 2 :]]
    words += ["--vocab", "400", "--validation", "0.1", "-q", "--json"]
    first = json.loads(line(*words)[1])
    assert (tmp_path / "plan/data/manifest.json").exists()
    assert json.loads(line(*words)[1]) == first


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        (["--minutes", "0.0001"], 1, "the shortest probe would have 0 steps, at least 20 needed"),
        (["--minutes", "0"], 2, "--minutes"),
        (["--config", "bese-golf-tiny"], 1, "a plan has no [golf]; name a configuration"),
        (["--set", "schedule.seconds=5"], 1, "make probes of unequal schedules; leave them out"),
        (["--set", "model.dim=31"], 1, "does not scale with dim 31; set it to"),
        (["--text", "corpus"], 2, "name shards with --data or text with --text, one of both"),
        (["--data", "nowhere"], 1, "nowhere"),
    ],
)
def test_plans_that_cannot_be_made_are_named(change, status, words, line, command, tmp_path):
    if "--config" in change:
        command = [word for word in command if word != "--set" and not word.startswith("model.")]
        command = [word for word in command if not word.startswith("train.")]
    found = line(*command, *change)
    assert (found[0], found[1], found[2].count("\n")) == (status, "", 1)
    assert words in found[2]
    assert not (tmp_path / "plan.toml").exists()
