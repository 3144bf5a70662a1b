import pytest
import torch

from spike_lm.model.families.build import build_model
from spike_lm.model.training.muon import Muon
from spike_lm.model.training.optimizers import (
    build_optimizers,
    scale_learning_rates,
    set_muon_momentum,
)
from tests.model.tiny import VOCAB, build_plain, golf_config, tiny_config


@pytest.mark.parametrize("muon", ["true", "false"])
@pytest.mark.parametrize("tied", ["true", "false"])
def test_every_parameter_has_one_optimiser(muon, tied):
    config = tiny_config(f"optimizer.muon={muon}", f"model.tie_embeddings={tied}")
    model = build_plain(config.model, VOCAB)
    optimizers = build_optimizers(model, config.optimizer)
    taken = [id(p) for o in optimizers for group in o.param_groups for p in group["params"]]
    assert sorted(taken) == sorted(id(p) for p in model.parameters())


def test_muon_takes_the_matrices_of_the_blocks_and_vectors_do_not_decay():
    config = tiny_config("optimizer.adamw_weight_decay=0.25")
    model = build_plain(config.model, VOCAB)
    adamw, muon = build_optimizers(model, config.optimizer)
    assert isinstance(muon, Muon)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    matrices = {names[id(p)] for p in muon.param_groups[0]["params"]}
    assert len(matrices) == 2 * 7
    assert all(name.startswith("model.layers.") and "norm" not in name for name in matrices)
    tables, vectors = adamw.param_groups
    assert [names[id(p)] for p in tables["params"]] == ["model.embed_tokens.weight"]
    assert (tables["weight_decay"], vectors["weight_decay"]) == (0.25, 0.0)


def test_learning_rates_are_shares_of_the_configured_ones():
    parameter = torch.zeros(2, 2, requires_grad=True)
    optimizer = torch.optim.AdamW([parameter], lr=0.5)
    for factor, expected in [(0.5, 0.25), (0.1, 0.05), (1.0, 0.5)]:
        scale_learning_rates([optimizer], factor)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_roles_in_a_golf_model():
    config = golf_config(
        "optimizer.adamw_weight_decay=0.25",
        "optimizer.vector_learning_rate=0.5",
        "optimizer.mtp_learning_rate=0.75",
        "optimizer.adamw_learning_rate=1.5",
    )
    model = build_model(config, VOCAB, eos_id=3)
    adamw, muon = build_optimizers(model, config.optimizer)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    tables, memory, mtp, vectors = (
        {names[id(p)] for p in group["params"]} for group in adamw.param_groups
    )
    assert tables == {
        "model.embed_tokens.weight",
        "model.bigram_embedding.table.weight",
        "model.value_embedding.table.weight",
    }
    assert memory == {"model.memory_tokens.rows"}
    assert mtp == {"mtp_heads.0.weight", "mtp_heads.1.weight"}
    assert {
        "model.unet_skips.weights",
        "model.smear_gate.gate",
        "model.bigram_embedding.proj.weight",
        "model.bigram_embedding.scale",
    } < vectors
    assert "model.layers.0.self_attn.q_gain" in vectors
    settings = [(group["lr"], group["weight_decay"]) for group in adamw.param_groups]
    assert settings == [(1.5, 0.25), (1.5, 0.0), (0.75, 0.25), (0.5, 0.1)]
    assert {
        names[id(p)].rpartition(".")[0].rpartition(".")[2] for p in muon.param_groups[0]["params"]
    } == {"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"}
    taken = [id(p) for o in (adamw, muon) for group in o.param_groups for p in group["params"]]
    assert sorted(taken) == sorted(names)


def test_momentum_warms_up_in_a_straight_line():
    config = tiny_config(
        "optimizer.muon_momentum_start=0.5",
        "optimizer.muon_momentum=0.9",
        "optimizer.muon_momentum_warmup=4",
    )
    model = build_plain(config.model, VOCAB)
    optimizers = build_optimizers(model, config.optimizer)
    group, before = optimizers[1].param_groups[0], 0.5
    for step, expected in enumerate([0.5, 0.6, 0.7, 0.8, 0.9, 0.9], 1):
        set_muon_momentum(optimizers, step, config.optimizer)
        assert group["momentum"] == pytest.approx(expected)
        assert group["rescale"] == pytest.approx((1 - expected) / (1 - before))
        before = expected
