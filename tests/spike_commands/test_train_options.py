"""Options of `spike train`: presets, commented files, and what it answers to those it lacks."""

import json

import pytest

from spike_lm.model import load_config, preset_names


def test_presets_are_listed_with_one_line_each(line):
    status, output, errors = line("train", "--list")
    assert (status, errors) == (0, "")
    assert [row.split()[0] for row in output.splitlines()] == preset_names()
    assert sorted(json.loads(line("train", "--list", "--json")[1])) == preset_names()
    assert line("presets")[1] == output


def test_a_printed_preset_is_a_file_to_start_from(line, tmp_path, monkeypatch):
    status, output, _ = line("train", "--config", "base", "--print")
    assert status == 0
    assert "# sequences per step" in output
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(output)
    assert load_config("mine.toml") == load_config("base")


def test_a_printed_configuration_has_its_overrides_and_comments(line):
    _, output, _ = line("train", "--config", "base", "--set", "train.steps=7", "--print")
    assert "# Optimiser steps.\n# whole number, ≥ 1, ≤ 99,999,999 (steps)\nsteps = 7\n" in output


@pytest.mark.parametrize("own", [False, True])
def test_the_third_line_works_beside_a_file_of_that_name_and_without(own, line, tiny, tmp_path):
    name = str(tmp_path / "base.toml") if own else "base.toml"
    if own:
        (tmp_path / "base.toml").write_text("[train]\nclip = 0.5\n")
    out = tmp_path / "run"
    status, _, errors = line("train", "--config", name, *tiny, "--out", str(out))
    assert status == 0
    assert f"configuration: {'file ' + name if own else 'preset base'}\n" in errors
    assert load_config(str(out / "config.toml")).train.clip == (0.5 if own else 1.0)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (["--lr", "1e-3"], "--set optimizer.muon_learning_rate=VALUE and --set optimizer.adamw"),
        (["--learning-rate=1"], "--set optimizer.muon_learning_rate=VALUE"),
        (["--steps", "5"], "--set train.steps=VALUE"),
        (["--batch-size", "5"], "--set train.batch=VALUE"),
        (["--checkpoint-every", "5"], "--set checkpoint.every=VALUE"),
        (["--widht", "5"], "--set model.width=VALUE"),
        (["--xyzzy"], "No such option"),
    ],
)
def test_an_option_it_lacks_names_the_key(option, hint, line):
    status, _, errors = line("train", "--config", "base", *option)
    assert (status, errors.count("\n")) == (2, 1)
    assert option[0].partition("=")[0] in errors
    assert hint in errors


def test_a_value_of_the_wrong_type_is_named_in_words(line):
    status, _, errors = line("train", "--config", "base", "--set", "train.steps=five")
    assert (status, errors) == (1, "spike: train.steps must be a whole number, not 'five'\n")


def test_words_for_help_and_version(line):
    assert line("help") == line("--help")
    assert line("help", "train") == line("train", "--help")
    assert line("version") == line("-v") == line("--version")


def dry_run(line, *options):
    status, output, errors = line("train", "--config", "base", *options, "--dry-run", "--json")
    assert (status, errors) == (0, "")
    return json.loads(output)


def test_a_dry_run_counts_epochs_and_validation_windows(line, folder, tiny):
    """Steps × batch windows of context tokens, over those of the training split."""
    manifest = json.loads((folder / "data/manifest.json").read_text())
    tokens = {name: split["tokens"] for name, split in manifest["splits"].items()}
    found = dry_run(line, *tiny)
    assert found["epochs"] == pytest.approx(4 * 4 / -(-tokens["train"] // 32))
    assert found["validation_windows"] == 4
    assert found["device"] == "cpu"
    assert found["estimated_from"] == "steps on random ids"
    assert found["estimated_seconds"] > 0
    many = dry_run(line, *tiny, "--set", "validation.windows=100000")
    assert many["validation_windows"] == tokens["validation"] // 32
    none = dry_run(line, *tiny, "--set", "validation.windows=0")
    assert none["validation_windows"] == 0


def test_a_dry_run_without_data_knows_no_epochs(line, tiny):
    found = dry_run(line, *tiny, "--set", "data.path=nowhere")
    assert (found["epochs"], found["validation_windows"]) == (None, None)
    status, output, _ = line("train", "--config", "base", *tiny, "--dry-run")
    assert status == 0
    assert "epochs over the data" in output
    assert "estimate " in output


def test_a_large_model_is_counted_and_takes_no_memory(line):
    found = dry_run(line, "--set", "model.vocab_size=16512", "--set", "model.width=4096")
    assert "lower bounds" in found["estimated_from"]
    assert found["estimated_memory_bytes"] > 12 * found["parameters"]


def test_a_dry_run_makes_nothing(line, folder, tiny):
    before = sorted(folder.rglob("*"))
    dry_run(line, *tiny)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (1, "the text is one document; shard it with --split-text"),
        (
            2,
            "holds out 0 tokens, and a window has 512; shard more text, or hold out more with",
        ),
    ],
)
def test_training_without_validation_says_why(texts, words, line, folder, tiny, tmp_path):
    for number in range(texts):
        text = (folder / "held.txt").read_text() + f" {number}"
        (tmp_path / f"{number}.txt").write_text(text * 30)
    shards = ["--out", str(tmp_path / "data"), "--split-text", "none", "--validation", "0", "-q"]
    assert line("shard", str(tmp_path), *shards)[0] == 0
    out = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    long = ["--set", "model.context=512", "--set", "train.steps=1", "--set", "train.batch=1"]
    single = ["--set", "train.micro_batch=1", "--set", "validation.windows=1"]
    status, _, errors = line("train", "--config", "base", *tiny, *long, *single, *out)
    assert status == 0, errors
    assert words in errors
