"""`spike data at`: the documents of each step of real runs, and the jumps of their losses."""

import json
import shutil

import numpy as np
import pytest

from spike_commands.train import recipe
from spiketok import Tokenizer


def at(line, *words):
    status, out, err = line("data", "at", *words, "--json")
    assert status == 0, err
    return json.loads(out)


def recorded_run(line, monkeypatch, tiny, *words):
    """Train, and return the batches of each step as the training loop took them."""
    taken, original = [], recipe.batches

    def recording(*arguments, **options):
        for batch in original(*arguments, **options):
            taken.append(batch[0])
            yield batch

    monkeypatch.setattr(recipe, "batches", recording)
    status, _, err = line("train", *words, *tiny, "--quiet")
    assert status == 0, err
    return list(taken)


@pytest.mark.parametrize("data", ["data", "chats"])
def test_documents_equal_the_batches_that_a_run_took(line, monkeypatch, chat_folder, tiny, data):
    """Micro-batches of a batch, more than one epoch, and a run that was resumed."""
    words = ("--config", "base", "--data", data, "--out", f"runs/at-{data}")
    small = [word.replace("train.micro_batch_size=4", "train.micro_batch_size=40") for word in tiny]
    small = [word.replace("train.batch_size=4", "train.batch_size=120") for word in small]
    taken = recorded_run(line, monkeypatch, small, *words)
    tokenizer = Tokenizer.load(chat_folder / data / "tokenizer.json")
    for step, ids in enumerate(taken, 1):
        found = at(line, f"runs/at-{data}", "--step", str(step))
        assert (found["windows"], found["micro_batch_size"], found["step"]) == (120, 40, step)
        assert sum(part["tokens"] for part in found["documents"]) == ids.size
        for number, window in enumerate(ids):
            parts = [part for part in found["documents"] if part["window"] == number]
            kept = window[window != tokenizer.eos_id]
            text = "".join(part["text"] for part in parts)
            assert text == tokenizer.decode(kept)
            for part in parts:
                shown = line(
                    *("data", "inspect", data, "--json", "--document", str(part["document"]))
                )
                whole = json.loads(shown[1])
                assert (whole["source"], whole["row"]) == (part["source"], part["row"])
                assert part["text"] in whole["text"]
            if number == 3:
                break
    assert len(taken) == 4
    assert at(line, f"runs/at-{data}", "--step", "4")["epoch"] > 0
    shutil.rmtree(chat_folder / f"runs/at-{data}/checkpoints/step-00000004")
    resumed = recorded_run(line, monkeypatch, (), "--resume", f"runs/at-{data}")
    assert np.array_equal(resumed, taken[2:])


def test_spike_names_the_largest_rise_and_the_steps_between(line, folder, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(folder / "runs/base", run)
    losses = {1: 5.0, 2: 4.0, 3: None, 4: 4.75}
    lines = [json.dumps({"step": step, "loss": loss}) for step, loss in losses.items()]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    words = ("--data", str(folder / "data"))
    found = at(line, str(run), "--spike", *words)
    (jump,) = found["jumps"]
    assert (jump["step"], jump["previous_step"], jump["rise"]) == (4, 2, 0.75)
    assert jump["documents"] == at(line, str(run), "--step", "4", *words)["documents"]
    status, out, _ = line("data", "at", str(run), "--spike", *words)
    assert status == 0
    assert "loss 4.0000 at step 2, 4.7500 (+0.7500); steps 3 to 3 are not logged" in out
    for verbose in ([], ["-v"]):
        status, out, _ = line("data", "at", str(run), "--step", "2", *words, *verbose)
        assert status == 0
        assert "words.jsonl" in out


def test_faults_are_one_line_each(line, folder, chat_folder, tmp_path):
    no_metrics = tmp_path / "no-metrics"
    shutil.copytree(folder / "runs/base", no_metrics)
    (no_metrics / "metrics.jsonl").unlink()
    moved = tmp_path / "moved"
    shutil.copytree(folder / "runs/base", moved)
    config = moved / "config.toml"
    config.write_text(config.read_text().replace(str(folder / "data"), "/nowhere/data"))
    data = ("--data", str(folder / "data"))
    for words, status, fault in (
        (("runs/base",), 2, "choose one of --step and --spike"),
        (("runs/base", "--step", "2", "--spike"), 2, "choose one of --step and --spike"),
        (("runs/base", "--step", "0"), 2, "0 is not in the range"),
        (("runs/base", "--step", "5"), 1, "was trained for 4 steps, so there is no step 5"),
        (("data", "--step", "1"), 1, "data: is a shard folder"),
        (("runs/base", "--step", "1", "--data", "chats"), 1, "chats"),
        (("runs/base", "--step", "1", "--data", "nowhere"), 1, "nowhere: does not exist"),
        ((str(no_metrics), "--spike", *data), 1, "metrics.jsonl: has 0 losses, too few"),
        ((str(moved), "--step", "1"), 1, "name the shards with --data"),
    ):
        found, out, err = line("data", "at", *words)
        assert (found, out) == (status, ""), (words, err)
        assert fault in err.splitlines()[-1], (words, err)
