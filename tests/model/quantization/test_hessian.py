"""Hessians are of the inputs of every matrix, however a family comes to multiply by it."""

import numpy as np
import pytest
import torch
from torch import nn

from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import quantizable_weights
from spike_lm.model.quantization.hessian import BLOCK, LOOKED_UP, gather_hessians, upper_products
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, shaken, tiny_config, whale_config

FAMILIES = {
    "plain": tiny_config(),
    "untied": tiny_config("model.tie_embeddings=false"),
    "golf": golf_config(),
    "whale": whale_config(),
    "experts": whale_config(*WHALE_RARE),
}
ONLY_LOOKED_UP = {
    f"model.{name}.table.weight" for name in ("bigram_embedding", "value_embedding", "engram")
}


def ids(seed=0, batch=6):
    return np.random.default_rng(seed).integers(0, VOCAB, (batch, 12))


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def any_model(family):
    return shaken(build_model(FAMILIES[family], VOCAB, eos_id=3, seed=1))


def test_all_that_multiplies_has_one(family, any_model):
    missing = quantizable_weights(any_model).keys() - gather_hessians(any_model, [ids()]).keys()
    assert missing <= ONLY_LOOKED_UP | (
        {"model.embed_tokens.weight"} if family == "untied" else set()
    )


def by_hooks(model, batches):
    """Return mean of x xᵀ for each linear module and, for the output layer, of the hidden rows."""
    read = {}
    handles = [
        module.register_forward_pre_hook(
            lambda _, inputs, name=name: read.setdefault(name, []).append(inputs[0].flatten(0, -2))
        )
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    hidden = [model.backbone(torch.from_numpy(batch)).flatten(0, 1) for batch in batches]
    for handle in handles:
        handle.remove()
    read[model.output_weight.removesuffix(".weight")] = hidden
    rows = {f"{name}.weight": torch.cat(inputs).double() for name, inputs in read.items()}
    return {name: inputs.T @ inputs / len(inputs) for name, inputs in rows.items() if len(inputs)}


def test_equal_the_inputs_that_modules_see(any_model):
    batches = [ids(0), ids(1, 2)]
    expected = by_hooks(any_model, batches)
    found = gather_hessians(any_model, batches)
    assert found.keys() == expected.keys() & quantizable_weights(any_model).keys()
    for name, hessian in found.items():
        wanted = expected[name]
        if name == "model.embed_tokens.weight":
            wanted = wanted + LOOKED_UP * wanted.diagonal().mean() * torch.eye(len(wanted))
        torch.testing.assert_close(hessian.double(), wanted, rtol=1e-4, atol=1e-5)
        assert hessian.dtype == torch.float32


def test_only_those_asked_for_are_gathered(any_model):
    every = gather_hessians(any_model, [ids()])
    for name in every:
        (found,) = gather_hessians(any_model, [ids()], [name]).items()
        assert found[0] == name
        assert torch.equal(found[1], every[name])


@pytest.mark.parametrize("columns", [1, BLOCK, 2 * BLOCK + 3])
def test_half_of_the_products_is_computed(columns):
    rows = torch.randn(9, columns, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(upper_products(rows).triu(), (rows.T @ rows).triu())


def test_layers_that_loop_are_seen_each_time():
    model = build_model(golf_config(), VOCAB, eos_id=3)
    calls = {2: 0, 4: 0}
    for layer in calls:
        model.layers[layer].self_attn.q_proj.register_forward_hook(
            lambda *_, layer=layer: calls.update({layer: calls[layer] + 1})
        )
    hessians = gather_hessians(model, [ids()])
    assert calls == {2: 3, 4: 1}
    assert "model.layers.2.self_attn.q_proj.weight" in hessians


def test_an_expert_that_no_token_chose_has_none():
    hashed = ["moe_layers=[0]", "n_routed_experts=8", "num_hash_layers=1"]
    config = whale_config(*(f"spikewhale.{key}" for key in hashed))
    model = build_model(config, VOCAB, eos_id=3)  # choosing by the id: id and id + 1, mod 8
    hessians = gather_hessians(model, [np.full((1, 12), 8)])
    seen = {name.split(".")[5] for name in hessians if ".experts." in name}
    assert seen == {"0", "1"}
