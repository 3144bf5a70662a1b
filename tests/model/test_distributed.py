"""Several processes train as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spike_lm.model.distributed import all_reduce_max, all_reduce_sum, rank, world_size
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spiketok.errors import SpikeError
from tests.model.tiny import train_tiny

ROOT = Path(__file__).parents[2]
RANK = """
import json, sys
from datetime import timedelta
from pathlib import Path
from safetensors.torch import save_file
from torch import distributed
from spike_lm.model.training import trainer
from spike_lm.model.training.ema_swa import averages_to_tensors
from tests.model import tiny
from tests.model.training import test_trainer

folder, number, count, *options = sys.argv[1:]
distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=int(number), world_size=int(count),
    timeout=timedelta(seconds=60),
)
start, kept = trainer.start_run, []
trainer.start_run = lambda *a, **k: kept.append(start(*a, **k)) or kept[-1]
config = (tiny.golf_config if "golf" in options else tiny.tiny_config)(
    *[option for option in options if "=" in option]
)
settings = {}
if "masked" in options:
    settings = {"open_batches": test_trainer.masked_batches(0.3), "validation": None}
if "taught" in options:
    from tests.model.training import test_distillation
    config = tiny.tiny_config(test_distillation.ONE, "distill.hidden_loss_weight=0.5")
    settings |= {"teachers": [test_distillation.teacher()]}
if "stopped" in options:
    asked = iter(range(100))
    settings["should_stop"] = lambda: next(asked) == 3 and number == "1"
if "resumed" in options:
    settings["resume"] = True
result = tiny.train_tiny(Path(folder) / "run", config, **settings)
weights = {name: p.detach().contiguous() for name, p in kept[0].model.named_parameters()}
if kept[0].distillation is not None:
    weights["head"] = kept[0].distillation.head.weight.detach()
save_file(weights | averages_to_tensors(kept[0].averages), f"{folder}/rank-{number}.safetensors")
Path(folder, f"step-{number}").write_text(str(result.step))
distributed.destroy_process_group()
"""


def train_on_ranks(folder, *options, count=2):
    """Train in so many processes; return the weights and means that each ends with."""
    folder.mkdir(exist_ok=True)
    (folder / "meeting").unlink(missing_ok=True)
    command = [sys.executable, "-c", RANK, str(folder)]
    started = [
        subprocess.Popen([*command, str(n), str(count), *options], cwd=ROOT) for n in range(count)
    ]
    assert [process.wait(120) for process in started] == [0] * count
    return [load_file(folder / f"rank-{n}.safetensors") for n in range(count)]


def metrics_of(folder):
    return [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]


def test_one_process_is_one_rank():
    assert (rank(), world_size(), all_reduce_max(2.5, "cpu")) == (0, 1, 2.5)
    tensor = torch.ones(2)
    all_reduce_sum([tensor])
    assert torch.equal(tensor, torch.ones(2))


def test_parts_must_be_shared_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr("spike_lm.model.training.state.world_size", lambda: 4)
    with pytest.raises(SpikeError, match=r"train.micro_batch_size: 2 micro-batches .* 4 ranks"):
        train_tiny(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [["plain"], ["golf"], ["golf", "masked"], ["taught", "masked"]], ids=" ".join
)
def test_two_ranks_train_as_one(options, tmp_path):
    first, second = train_on_ranks(tmp_path / "two", *options)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    (alone,) = train_on_ranks(tmp_path / "one", *options, count=1)
    # A table's gradient is summed piece by piece, and two ranks sum in another order.
    for name, weight in alone.items():
        torch.testing.assert_close(first[name], weight, rtol=1e-4, atol=1e-5)
    for two, one in zip(*map(metrics_of, (tmp_path / "two", tmp_path / "one")), strict=True):
        assert two.keys() == one.keys()
        for key in one.keys() - {"tokens_per_second"}:
            assert two[key] == pytest.approx(one[key], rel=1e-4), key


@pytest.mark.slow
def test_one_rank_asks_all_to_stop_and_they_resume_to_the_same_bytes(tmp_path):
    whole, _ = train_on_ranks(tmp_path / "whole", "golf")
    train_on_ranks(tmp_path / "cut", "golf", "stopped")
    assert [(tmp_path / f"cut/step-{n}").read_text() for n in (0, 1)] == ["3", "3"]
    assert newest_checkpoint(tmp_path / "cut/run").name == "step-00000003"
    resumed = train_on_ranks(tmp_path / "cut", "golf", "resumed")
    for weights in resumed:
        assert all(torch.equal(weights[name], whole[name]) for name in whole)


@pytest.mark.slow
def test_ranks_agree_when_time_is_over(tmp_path):
    settings = ["schedule.seconds=0.3", "train.steps=100000", "checkpoint.every=100000"]
    train_on_ranks(tmp_path, *settings)
    first, second = ((tmp_path / f"step-{n}").read_text() for n in (0, 1))
    assert first == second != "100000"


@pytest.mark.slow
def test_torchrun_trains(folder, tiny, tmp_path):
    common = ["train", "--config", "base.toml", *tiny, "--set", "train.micro_batch_size=2"]
    (tmp_path / "data").symlink_to(folder / "data")
    cli = str(ROOT / "cli.py")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    results = []
    for start, out in ((launcher, "two"), ([sys.executable], "one")):
        done = subprocess.run(
            [*start, cli, *common, "--out", out, "--json", "--quiet"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    two, one = results
    assert (two["step"], two["tokens"]) == (one["step"], one["tokens"])
    assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert two["validation_bits_per_byte"] == pytest.approx(
        one["validation_bits_per_byte"], rel=1e-5
    )


@pytest.mark.slow
def test_torchrun_scores_as_one_to_the_bit(folder):
    command = [str(ROOT / "cli.py"), "eval", "runs/base", "--text", "held.txt", "held.txt"]
    command += ["--context", "9", "--stride", "2", "--device", "cpu", "--json", "--quiet"]
    command += ["--by", "file"]
    command += ["--ttt", "chunk=50,blocks=1,rate=0.02,decay=none,polyak=0,batch=4"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    results = []
    for start in (launcher, [sys.executable]):
        done = subprocess.run(
            [*start, *command],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    assert results[0] == results[1]
