import json
import math
import signal
import subprocess
import sys
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spike_lm.model.families.build import build_model
from spike_lm.model.runs.checkpoint import load_averages
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.training import step
from spike_lm.model.training.trainer import Sample
from spiketok.errors import SpikeError
from tests.model.tiny import (
    VOCAB,
    build_plain,
    bytes_of_run,
    golf_config,
    open_batches,
    tiny_config,
    train_tiny,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """Return the folder of an uninterrupted run of eight steps."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_tiny(folder)
    return folder


LEARNING_BY_HEART = [
    "train.steps=60",
    "optimizer.adamw_learning_rate=0.03",
    "optimizer.muon_learning_rate=0.1",
    "checkpoint.every=60",
]


@pytest.mark.parametrize(
    "config",
    [
        tiny_config(*LEARNING_BY_HEART),
        tiny_config(*LEARNING_BY_HEART, "optimizer.muon=false"),
        golf_config(*LEARNING_BY_HEART, "model.logit_softcap=30", "golf.memory_tokens=0"),
        golf_config(*LEARNING_BY_HEART, "model.logit_softcap=30"),
    ],
    ids=["plain", "without Muon", "golf", "golf with memory"],
)
def test_learns_one_batch_by_heart(config, tmp_path):
    batch = next(open_batches(0))
    result = train_tiny(tmp_path, config, open_batches=lambda _: repeat(batch), validation=batch)
    assert result.metrics["loss"] < 0.5 * np.log(VOCAB)
    # In evaluation memory moves the text to other positions than it was learnt at.
    if config.golf is None or not config.golf.memory_tokens:
        assert result.metrics["validation_nats_per_token"] < 0.5 * np.log(VOCAB)


def test_two_equal_runs_give_equal_bytes(whole_run, tmp_path):
    train_tiny(tmp_path)
    assert bytes_of_run(tmp_path) == bytes_of_run(whole_run)


def test_another_seed_gives_other_bytes(whole_run, tmp_path):
    train_tiny(tmp_path, tiny_config("train.seed=1"))
    ours, theirs = (newest_checkpoint(f) / "model.safetensors" for f in (tmp_path, whole_run))
    assert ours.read_bytes() != theirs.read_bytes()


@pytest.mark.parametrize("stop_at", [0, 1, 3, 4, 7])
def test_stopped_and_resumed_equals_uninterrupted(stop_at, whole_run, tmp_path):
    asked = iter(range(100))
    first = train_tiny(tmp_path, should_stop=lambda: next(asked) == stop_at)
    assert first.step == stop_at
    assert newest_checkpoint(tmp_path).name == f"step-{stop_at:08d}"
    torch.rand(3)
    result = train_tiny(tmp_path, resume=True)
    assert result.step == 8
    ours, theirs = bytes_of_run(tmp_path), bytes_of_run(whole_run)
    last = {name for name in theirs if "step-00000008" in name}
    assert len(last) == 3
    assert {name: ours[name] for name in last} == {name: theirs[name] for name in last}
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


KILLED = """
import os, signal, sys
from pathlib import Path
from spike_lm.model.training import checkpoint
from tests.model.tiny import train_tiny

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def die_while_saving(progress):
    if progress.step == 8:
        checkpoint.file_sha256 = die

def die_after_logging(progress):
    if progress.step == 6:
        die()

train_tiny(Path(sys.argv[1]), report=globals()[sys.argv[2]])
"""


@pytest.mark.parametrize("death", ["die_while_saving", "die_after_logging"])
def test_killed_and_resumed_equals_uninterrupted(death, whole_run, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, str(run), death]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    assert newest_checkpoint(run).name == "step-00000004"
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "lo')
    train_tiny(run, resume=True)
    assert bytes_of_run(run) == bytes_of_run(whole_run)


def test_parts_of_a_batch_add_up(whole_run, tmp_path):
    train_tiny(tmp_path, tiny_config("train.micro_batch_size=4"))
    parts, at_once = (
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (whole_run, tmp_path)
    )
    assert [line["step"] for line in parts] == [1, 2, 4, 6, 8]
    for a, b in zip(parts, at_once, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
        assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=1e-3)


def test_reports_samples_and_validations_when_due(tmp_path):
    seen = []
    config = tiny_config("sample.every=3", "validation.every=4", "train.log_every=100")
    written = Sample("a", "text")
    train_tiny(tmp_path, config, report=seen.append, sample=lambda *_: written)
    assert [p.step for p in seen] == list(range(1, 9))
    assert [p.step for p in seen if p.logged] == [1, 3, 4, 6, 8]
    assert [p.step for p in seen if p.sample == written] == [3, 6, 8]
    kept = [line for line in metrics_of(tmp_path) if line.get("sample") == "text"]
    assert [line["step"] for line in kept if line["sample_prompt"] == "a"] == [3, 6, 8]
    assert [p.step for p in seen if "validation_bits_per_byte" in p.metrics] == [4, 8]


@pytest.mark.parametrize("share", [None, 0.4])
def test_bits_per_byte_are_of_the_targets_that_the_loss_is_of(share, tmp_path):
    """Checked by hand; memory tokens take the place of three targets, whose bytes do not count."""
    lengths = np.arange(VOCAB) % 5
    batches = open_batches if share is None else masked_batches(share)
    config = golf_config("train.log_every=1")
    train_tiny(tmp_path, config, open_batches=batches, byte_lengths=lengths)
    names = ("loss", "train_bits_per_byte")
    if share is not None:
        names = ("reply_loss", "train_reply_bits_per_byte")
    for line, (ids, mask) in zip(metrics_of(tmp_path), batches(0), strict=False):
        chosen = np.ones(ids.shape, bool) if mask is None else mask.copy()
        chosen[:, :4] = False
        size = sum(int(lengths[id_]) for id_ in ids[chosen])
        nats = line[names[0]] * chosen.sum()
        assert line[names[1]] == pytest.approx(nats / (math.log(2) * size))


def test_stops_at_the_step_that_is_not_finite(tmp_path):
    def spoil(model, _):
        with torch.no_grad():
            model.model.embed_tokens.weight.fill_(torch.inf)
        return Sample("", "")

    config = tiny_config("sample.every=6")
    with pytest.raises(SpikeError, match="step 7: loss nan"):
        train_tiny(tmp_path, config, sample=spoil)
    assert newest_checkpoint(tmp_path).name == "step-00000004"


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    train_tiny(tmp_path, tiny_config("checkpoint.every=1", "checkpoint.keep=3"))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000006", "step-00000007", "step-00000008"]


def test_a_finished_run_resumes_to_itself(whole_run):
    before = bytes_of_run(whole_run)
    assert train_tiny(whole_run, resume=True).metrics == {}
    assert bytes_of_run(whole_run) == before


def test_a_run_is_not_overwritten(whole_run):
    with pytest.raises(SpikeError, match="holds a run already"):
        train_tiny(whole_run)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": tiny_config("train.steps=9")}, "its fingerprint of config"),
        ({"lineage": {"tokenizer": "t", "data": "other"}}, "its fingerprint of data"),
        ({"lineage": {"data": "d"}}, "its fingerprint of tokenizer"),
        ({"config": tiny_config("model.vocab_size=9")}, "model.vocab_size: 9, but"),
    ],
)
def test_what_does_not_belong_together_is_refused(changes, message, whole_run):
    with pytest.raises(SpikeError, match=message):
        train_tiny(whole_run, resume=True, **changes)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "the data ends before step 1"),
        ([(np.zeros((4, 12), int), None)], "shape"),
        ([(np.zeros((4, 13), int), np.ones((4, 12), bool))], "shape"),
        ([(np.full((4, 13), VOCAB), None)], "id outside 0 … 31"),
        ([(np.full((4, 13), -1), None)], "id outside 0 … 31"),
    ],
)
def test_bad_batches_are_refused(batches, message, tmp_path):
    with pytest.raises(SpikeError, match=message):
        train_tiny(tmp_path, open_batches=lambda samples: iter(batches))


def masked_batches(share):
    """Give each batch of `open_batches` a mask that is a pure function of its place."""

    def masked(samples):
        for number, (ids, _) in enumerate(open_batches(samples)):
            yield ids, np.random.default_rng(samples + 4 * number).random(ids.shape) < share

    return masked


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_all_inside_the_mask_trains_as_without_one_under_other_names(whole_run, tmp_path):
    train_tiny(tmp_path, open_batches=masked_batches(2), validation=next(masked_batches(2)(10_000)))
    for ours, theirs in zip(metrics_of(tmp_path), metrics_of(whole_run), strict=True):
        assert ours["reply_loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert ours["reply_tokens"] == 48
        assert "loss" not in ours
        assert "validation_bits_per_byte" not in ours
    score = theirs["validation_bits_per_byte"]
    assert ours["validation_reply_bits_per_byte"] == pytest.approx(score, rel=1e-5)


def test_the_loss_is_of_the_targets_inside_the_mask(tmp_path):
    train_tiny(tmp_path, tiny_config("train.steps=1"), open_batches=masked_batches(0.3))
    ids, mask = next(masked_batches(0.3)(0))
    model = build_plain(tiny_config().model, VOCAB, seed=0)
    logs = torch.log_softmax(model(torch.from_numpy(ids[:, :-1])), -1)
    nats = -logs.gather(-1, torch.from_numpy(ids[:, 1:, None]))[..., 0][
        torch.from_numpy(mask[:, 1:])
    ]
    (line,) = metrics_of(tmp_path)
    assert line["reply_tokens"] == len(nats)
    assert line["reply_loss"] == pytest.approx(nats.mean().item(), rel=1e-5)


def test_a_step_without_targets_says_so_and_training_goes_on(tmp_path):
    result = train_tiny(tmp_path, open_batches=masked_batches(-1), validation=None)
    assert result.step == 8
    assert [line["reply_loss"] for line in metrics_of(tmp_path)] == [None] * 5
    assert {line["gradient_norm"] for line in metrics_of(tmp_path)} == {0.0}


def test_masked_runs_resume_to_the_same_bytes(tmp_path):
    batches = {"open_batches": masked_batches(0.5), "validation": None}
    train_tiny(tmp_path / "whole", **batches)
    asked = iter(range(100))
    train_tiny(tmp_path / "cut", **batches, should_stop=lambda: next(asked) == 4)
    train_tiny(tmp_path / "cut", **batches, resume=True)
    assert bytes_of_run(tmp_path / "cut") == bytes_of_run(tmp_path / "whole")


@pytest.fixture(scope="module")
def whole_golf_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golf") / "run"
    train_tiny(folder, golf_config())
    return folder


@pytest.mark.parametrize("stop_at", [1, 3, 4, 5, 7])
def test_a_golf_run_resumes_to_the_same_bytes(stop_at, whole_golf_run, tmp_path):
    asked = iter(range(100))
    train_tiny(tmp_path, golf_config(), should_stop=lambda: next(asked) == stop_at)
    torch.rand(3)
    train_tiny(tmp_path, golf_config(), resume=True)
    ours, theirs = bytes_of_run(tmp_path), bytes_of_run(whole_golf_run)
    last = {name for name in theirs if "step-00000008" in name}
    assert {name: ours[name] for name in last} == {name: theirs[name] for name in last}
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


def test_a_golf_run_keeps_its_means(whole_golf_run):
    checkpoint = newest_checkpoint(whole_golf_run)
    model = build_model(golf_config(), VOCAB, eos_id=3, device="meta")
    names = {name.partition("/")[0] for name in load_averages(checkpoint, model)}
    assert names == {"ema", "swa", "snapshots"}
    # The rates are at 0.75 and 0.25 of their height in steps 6 and 8, and above 0.8 before.
    assert load_averages(checkpoint, model)["snapshots"].item() == 2
    ema, weights = (
        load_averages(checkpoint, model, "ema"),
        load_file(checkpoint / "model.safetensors"),
    )
    assert ema.keys() == weights.keys()
    assert not torch.equal(ema["model.embed_tokens.weight"], weights["model.embed_tokens.weight"])
    other = build_model(golf_config("golf.bigram_vocab_size=65"), VOCAB, eos_id=3, device="meta")
    with pytest.raises(
        SpikeError, match=r"average/ema/model.bigram_embedding.table.weight: fits no parameter"
    ):
        load_averages(checkpoint, other)


def test_layers_loop_from_their_share_on(tmp_path, monkeypatch):
    seen = []

    def watched(run, *arguments, **settings):
        done = step.train_step(run, *arguments, **settings)
        seen.append(run.model.model.looping)
        assert not run.model.training
        return done

    monkeypatch.setattr("spike_lm.model.training.trainer.train_step", watched)
    train_tiny(tmp_path, golf_config("golf.recur_start=0.35"))
    assert seen == [False, False, False, True, True, True, True, True]


@pytest.mark.parametrize("mask", [None, "some"])
def test_targets_that_memory_hides_are_not_scored(mask, golf):
    ids = torch.zeros(2, 13, dtype=torch.int64)
    given = None if mask is None else torch.arange(26).view(2, 13) % 3 > 0
    scored = step.scored_targets(golf, ids, given)
    expected = torch.ones(2, 13, dtype=torch.bool) if given is None else given.clone()
    # Rows 0 to 2 are memory; their targets are ids 1 to 3.
    expected[:, 1:4] = False
    assert torch.equal(scored, expected)


def test_time_ends_a_run_and_is_resumed(tmp_path, monkeypatch):
    now = iter(range(10_000))
    monkeypatch.setattr(
        "spike_lm.model.training.trainer.time.perf_counter", lambda: float(next(now))
    )
    config = tiny_config("schedule.seconds=5", "train.steps=1000", "checkpoint.every=2")
    asked = iter(range(100))
    first = train_tiny(tmp_path, config, should_stop=lambda: next(asked) == 3)
    assert (first.step, first.finished) == (3, False)
    result = train_tiny(tmp_path, config, resume=True)
    assert (result.step, result.finished) == (5, True)
    assert "validation_bits_per_byte" in result.metrics
    assert json.loads((newest_checkpoint(tmp_path) / "state.json").read_text())["seconds"] == 5.0
    assert train_tiny(tmp_path, config, resume=True).metrics == {}
