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
    assert (
        "# Number of optimiser steps.\n# whole number, ≥ 1, ≤ 99,999,999 (steps)\nsteps = 7\n"
        in output
    )


@pytest.mark.parametrize("own", [False, True])
def test_the_third_line_works_beside_a_file_of_that_name_and_without(own, line, tiny, tmp_path):
    name = str(tmp_path / "base.toml") if own else "base.toml"
    if own:
        (tmp_path / "base.toml").write_text("[train]\ngrad_clip = 0.5\n")
    out = tmp_path / "run"
    status, _, errors = line("train", "--config", name, *tiny, "--out", str(out))
    assert status == 0
    assert f"configuration: {'file ' + name if own else 'preset base'}\n" in errors
    assert load_config(str(out / "config.toml")).train.grad_clip == (0.5 if own else 1.0)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (["--lr", "1e-3"], "--set optimizer.muon_learning_rate=VALUE and --set optimizer.adamw"),
        (["--learning-rate=1"], "--set optimizer.muon_learning_rate=VALUE"),
        (["--steps", "5"], "--set train.steps=VALUE"),
        (["--batch-size", "5"], "--set train.batch_size=VALUE"),
        (["--checkpoint-every", "5"], "--set checkpoint.every=VALUE"),
        (["--ffn-dmi", "5"], "--set model.ffn_dim=VALUE"),
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
    fault = "train.steps is 'five'; write a whole number"
    assert (status, errors) == (2, f"spike: --set train.steps=five: {fault}\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--config", "base", "--set", "steps=5"], "write section.key=value, as train.steps=5"),
        (
            ["--config", "base", "--set", "train.step=5"],
            "train.step: no such key; did you mean",
        ),
        (["--config", "bse"], "bse: neither a file nor a preset; did you mean `base`?"),
        (["--print", "--config", "bse"], "bse: neither a file nor a preset"),
    ],
)
def test_wrong_words_of_a_configuration_are_usage_errors(options, words, line):
    status, _, errors = line("train", *options)
    assert (status, errors.count("\n")) == (2, 1)
    assert words in errors


@pytest.mark.parametrize("sized", [[], ["--set", "model.vocab_size=400"]])
def test_a_dry_run_names_missing_data_as_a_run_does(sized, line, tmp_path):
    options = ["--config", "base", *sized, "--data", str(tmp_path / "nope")]
    expected = line("train", *options, "--out", str(tmp_path / "run"))
    assert expected[0] == 1
    assert f"{tmp_path}/nope: does not exist" in expected[2]
    assert line("train", *options, "--dry-run") == expected


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_without_validation_the_loss_is_in_bits_per_byte(quiet, line, folder, tiny, tmp_path):
    options = ["--config", "base", *tiny, "--set", "validation.windows=0", *quiet]
    shown = line("train", *options, "--out", str(tmp_path / "run"))[1]
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])
    assert f"training loss  {last['train_bits_per_byte']:.4f} bits per byte\n" in shown
    assert "nats" not in shown
    again = ["train", "--resume", str(tmp_path / "run"), *quiet]
    assert f"{last['train_bits_per_byte']:.4f} bits per byte\n" in line(*again)[1]
    found = json.loads(line(*again, "--json")[1])
    assert (found["loss"], found["train_bits_per_byte"]) == (
        last["loss"],
        last["train_bits_per_byte"],
    )
    whole = line(*again, "--verbose")[1]
    assert whole.count("bits per byte") == 2  # of the training, and of a validation that is none
    assert whole.count(str(tmp_path / "run")) == 1


def test_a_split_shorter_than_a_window_names_a_context_that_fits(line, folder, tiny, tmp_path):
    (tmp_path / "one.txt").write_text((folder / "held.txt").read_text())
    shards = ["--out", str(tmp_path / "data"), "--validation", "0", "-q"]
    assert line("shard", str(tmp_path / "one.txt"), *shards)[0] == 0
    options = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), "-q"]
    command = ["train", "--config", "base", *tiny, *options]
    status, _, errors = line(*command, "--set", "model.context=1024")
    assert (status, errors.count("\n")) == (1, 1)
    assert f"{tmp_path}/data: the train split has " in errors
    assert "too few for one window of 1,024; shard more text, or shorten the window: " in errors
    assert line(*command, "--set", errors.split("--set ")[1].strip())[0] == 0


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
    found = dry_run(line, "--set", "model.vocab_size=16512", "--set", "model.dim=4096")
    assert "lower bounds" in found["estimated_from"]
    assert found["estimated_memory_bytes"] > 12 * found["parameters"]


def test_a_dry_run_makes_nothing(line, folder, tiny):
    before = sorted(folder.rglob("*"))
    dry_run(line, *tiny)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (1, "the text is one document; shard it with --split-text if it is plain text, or shard"),
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
    long = ["--set", "model.context=512", "--set", "train.steps=1", "--set", "train.batch_size=1"]
    single = ["--set", "train.micro_batch_size=1", "--set", "validation.windows=1"]
    status, _, errors = line("train", "--config", "base", *tiny, *long, *single, *out)
    assert status == 0, errors
    assert words in errors
