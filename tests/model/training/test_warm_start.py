import pytest
import torch

from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import role_of
from spike_lm.model.runs.checkpoint import load_weights
from spike_lm.model.runs.checkpoint_folders import newest_checkpoint
from spike_lm.model.training.warm_start import choose_starting_weights
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, bytes_of_run, golf_config, tiny_config, train_tiny, whale_config

FAMILIES = pytest.mark.parametrize(
    "config_of", [tiny_config, golf_config, whale_config], ids=["plain", "golf", "whale"]
)


def weights_of(config, seed=7):
    return build_model(config, VOCAB, eos_id=3, seed=seed).state_dict()


def chosen(config, given):
    return choose_starting_weights(config, VOCAB, given, "runs/other")


@FAMILIES
def test_a_run_begins_with_the_weights_given(config_of, tmp_path):
    config, given = config_of(), weights_of(config_of())
    start = chosen(config_of("train.grad_clip=2", "model.rope_base=500", "train.seed=9"), given)
    assert start.fresh == start.unused == ()
    train_tiny(tmp_path, config, weights=start.weights, should_stop=lambda: True)
    model = build_model(config, VOCAB, eos_id=3)
    load_weights(newest_checkpoint(tmp_path), model)
    assert model.state_dict().keys() == given.keys()
    assert all(torch.equal(tensor, given[name]) for name, tensor in model.state_dict().items())


@FAMILIES
@pytest.mark.parametrize("stop_at", [0, 3])
def test_resumed_without_the_weights_equals_uninterrupted(config_of, stop_at, tmp_path):
    config = config_of()
    given = chosen(config, weights_of(config)).weights
    train_tiny(tmp_path / "whole", config, weights=given)
    asked = iter(range(100))
    broken = tmp_path / "broken"
    train_tiny(broken, config, weights=given, should_stop=lambda: next(asked) == stop_at)
    torch.rand(3)
    train_tiny(broken, config, resume=True)
    ours, theirs = bytes_of_run(broken), bytes_of_run(tmp_path / "whole")
    last = {name for name in theirs if "step-00000008" in name}
    assert len(last) == 3
    assert {name: ours[name] for name in last} == {name: theirs[name] for name in last}
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


@FAMILIES
def test_a_weight_that_does_not_fit_is_named(config_of):
    given = weights_of(config_of())
    name = "model.layers.1.mlp.down_proj.weight"
    name = name if name in given else next(n for n in given if n.startswith("model.layers.1."))
    without = {n: tensor for n, tensor in given.items() if n != name}
    for wrong, complaint in (
        (without, "missing"),
        (given | {"more.weight": given[name]}, "more.weight': unexpected"),
        (given | {name: given[name].flatten()[1:]}, "needs torch.float32"),
    ):
        with pytest.raises(SpikeError, match=complaint) as caught:
            chosen(config_of(), wrong)
        assert "more.weight" in str(caught.value) or name in str(caught.value)


@pytest.mark.parametrize(
    ("with_heads", "without"),
    [
        (golf_config(), golf_config("golf.mtp_num_heads=0")),
        (
            whale_config(),
            whale_config("spikewhale.num_nextn_predict_layers=0", "spikewhale.jepa_horizon=0"),
        ),
    ],
    ids=["golf", "whale"],
)
def test_heads_that_only_training_needs_may_be_absent_on_either_side(with_heads, without):
    full, bare = weights_of(with_heads), weights_of(without)
    heads = tuple(sorted(name for name in full if role_of(name).training_only))
    assert heads
    missing, spare = chosen(with_heads, bare), chosen(without, full)
    assert (missing.fresh, missing.unused) == (heads, ())
    assert (spare.fresh, spare.unused) == ((), heads)
    assert missing.weights.keys() == spare.weights.keys() == bare.keys()
