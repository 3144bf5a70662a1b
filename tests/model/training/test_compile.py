"""Graphs are made before the first step, whole, and for all that the steps will need."""

import functools

import pytest
import torch
from torch import _dynamo
from torch._dynamo.testing import CompileCounter

from spike_lm.model import load_config
from spike_lm.model.families.build import build_model
from spike_lm.model.training import step
from tests.model.tiny import VOCAB, bytes_of_run, golf_config, tiny_config, train_tiny
from tests.model.training.test_distillation import ONE, teacher

COMPILED = "train.compile=true"


@pytest.fixture
def counter(monkeypatch):
    """Count graphs; what is traced runs as it is, without the minutes of making code of it."""
    counter = CompileCounter()
    whole = functools.partial(torch.compile, backend=counter, fullgraph=True)
    monkeypatch.setattr(torch, "compile", whole)
    _dynamo.reset()
    yield counter
    _dynamo.reset()


@pytest.fixture
def before_steps(counter, monkeypatch):
    """Note before each step how many graphs there are."""
    seen = []

    def watched(*arguments, **settings):
        seen.append(counter.frame_count)
        return step.train_step(*arguments, **settings)

    monkeypatch.setattr("spike_lm.model.training.trainer.train_step", watched)
    return seen


@pytest.mark.parametrize(
    ("config", "graphs"),
    [
        (tiny_config(COMPILED), 1),
        (golf_config(COMPILED), 2),
        pytest.param(golf_config(COMPILED, "golf.recur_start=0"), 1, marks=pytest.mark.slow),
    ],
    ids=["plain", "looping later", "looping at once"],
)
def test_no_graph_is_made_after_the_first_step_begins(
    config, graphs, counter, before_steps, tmp_path
):
    train_tiny(tmp_path, config)
    assert before_steps == [graphs] * 8
    assert counter.frame_count == graphs


def test_a_teacher_is_compiled_too(counter, before_steps, tmp_path):
    train_tiny(tmp_path / "compiled", tiny_config(COMPILED, ONE), teachers=[teacher("golf")])
    assert before_steps == [2] * 8
    train_tiny(tmp_path / "plain", tiny_config(ONE), teachers=[teacher("golf")])
    ours, theirs = (bytes_of_run(tmp_path / name) for name in ("compiled", "plain"))
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


@pytest.mark.slow
def test_a_resumed_run_makes_the_graphs_that_it_still_needs(counter, before_steps, tmp_path):
    asked = iter(range(100))
    train_tiny(tmp_path, golf_config(COMPILED), should_stop=lambda: next(asked) == 5)
    _dynamo.reset()
    counter.clear()
    train_tiny(tmp_path, golf_config(COMPILED), resume=True)
    assert before_steps == [2] * 5 + [1] * 3


@pytest.mark.slow
def test_warming_up_changes_nothing(counter, tmp_path):
    train_tiny(tmp_path / "compiled", golf_config(COMPILED))
    train_tiny(tmp_path / "plain", golf_config())
    ours, theirs = (bytes_of_run(tmp_path / name) for name in ("compiled", "plain"))
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]
    weights = "checkpoints/step-00000008/model.safetensors"
    assert ours[weights] == theirs[weights]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["bese-golf-tiny", "ngram-golf-tiny", "memory-golf-tiny"])
def test_a_preset_is_one_graph_without_a_break(preset, counter):
    config = load_config(preset, ["model.dim=16", "model.ffn_dim=16", "model.context=16"])
    model = build_model(config, VOCAB, eos_id=3).train()
    torch.compile(model.backbone)(torch.zeros(1, 16, dtype=torch.int64))
    assert counter.frame_count == 1


OFF = [
    "golf.xsa_last_n=0",
    "golf.x0_mix=false",
    "golf.unet_skips=false",
    "golf.recur_layers=[]",
    "golf.bigram_vocab_size=0",
    "golf.smear_gate=false",
    "golf.ve_last_n=0",
    "golf.value_residual=false",
    "golf.memory_tokens=0",
    "model.logit_softcap=0",
]


@pytest.mark.slow
def test_a_feature_that_is_off_is_not_in_the_graph(counter):
    operations = {}
    for off in ("model.logit_softcap=5", *OFF):
        _dynamo.reset()
        counter.clear()
        model = build_model(golf_config(off), VOCAB, eos_id=3)
        torch.compile(model.forward)(torch.zeros(1, 12, dtype=torch.int64))
        operations[off] = counter.op_count
    whole = operations.pop("model.logit_softcap=5")  # as it is
    assert all(count < whole for count in operations.values()), operations
