"""`spike train --init`: a new run begins with the weights of another, and says so."""

import hashlib
import json
import shutil

import pytest
from safetensors.torch import load_file


@pytest.fixture
def begun(line, tiny):
    """Train a run that begins with the weights of runs/base: (status, stderr)."""

    def begin(*more):
        options = ["--config", "base", *tiny, "--init", "runs/base", *more]
        status, _, errors = line("train", *options)
        return status, errors

    return begin


def test_a_run_names_the_weights_it_began_with(begun, line, folder):
    assert begun("--out", "runs/second", "--set", "checkpoint.keep=9", "-q") == (0, "")
    first = folder / "runs/base/checkpoints/step-00000004/model.safetensors"
    theirs = load_file(first)
    ours = load_file(folder / "runs/second/checkpoints/step-00000000/model.safetensors")
    assert theirs.keys() == ours.keys()
    assert all(bool((theirs[name] == ours[name]).all()) for name in theirs)
    state = first.with_name("state.json")
    lineage = json.loads((folder / "runs/second/run.json").read_text())
    assert lineage["fingerprints"]["init"] == hashlib.sha256(state.read_bytes()).hexdigest()
    assert line("eval", "runs/second", "--text", "held.txt")[0] == 0
    assert line("train", "--resume", "runs/second")[0] == 0


def test_a_run_killed_before_its_first_checkpoint_is_to_be_started_again(begun, line, folder):
    assert begun("--out", "runs/early", "-q") == (0, "")
    shutil.rmtree(folder / "runs/early/checkpoints")
    (folder / "runs/early/metrics.jsonl").unlink()
    status, _, errors = line("train", "--resume", "runs/early")
    assert (status, errors.count("\n")) == (1, 1)
    assert "--init" in errors
    assert begun("--out", "runs/early", "-q") == (0, "")


def test_what_does_not_fit_is_told_before_the_folder_is_made(begun, line, folder):
    wrong = ["--set", "model.ffn_dim=48", "--out", "runs/never"]
    status, errors = begun(*wrong)
    assert (status, errors.count("\n")) == (1, 1)
    assert "runs/base: 'model.layers.0." in errors
    assert not (folder / "runs/never").exists()
    status, _, errors = line("train", "--resume", "runs/base", "--init", "runs/base")
    assert (status, errors.count("\n")) == (2, 1)


def test_another_tokenizer_is_refused(begun, line, folder):
    assert (
        line("tokenizer", "train", "corpus/", "--vocab", "420", "--out", "t420.json", "-q")[0] == 0
    )
    assert line("shard", "--tokenizer", "t420.json", "--out", "data420", "-q")[0] == 0
    status, errors = begun(
        "--data", "data420", "--set", "model.vocab_size=0", "--out", "runs/no", "-q"
    )
    assert (status, errors.count("\n")) == (1, 1)
    assert "but that of the data is " in errors


def test_heads_that_come_from_nowhere_are_told(line, tiny):
    whale = ["--config", "base", *tiny, "--set", "spikewhale.q_lora_rank=8"]
    assert line("train", *whale, "--out", "runs/bare", "-q")[0] == 0
    more = [
        "--set",
        "spikewhale.num_nextn_predict_layers=1",
        "--init",
        "runs/bare",
        "--out",
        "runs/mtp",
    ]
    status, _, errors = line("train", *whale, *more)
    assert status == 0
    assert "runs/bare has no weights for mtp_heads." in errors
