"""Every parameter of every family has the role that its module gives it."""

import pytest
from torch import nn

from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import (
    count_parameters,
    exported_parameters,
    exported_state,
    layer_of,
    role_of,
    training_only_modules,
)
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, tiny_config, whale_config

CONFIGS = {
    "plain": tiny_config(),
    "untied": tiny_config("model.tie_embeddings=false"),
    "golf": golf_config(),
    "whale": whale_config(),
    "experts": whale_config(*WHALE_RARE, "spikewhale.num_hash_layers=0"),
}
EXPORTED = ("model.", "lm_head.")


@pytest.fixture(params=CONFIGS)
def model(request):
    return build_model(CONFIGS[request.param], VOCAB, eos_id=3, device="meta")


def test_parts_outside_of_the_exported_ones_are_for_training_alone(model):
    for name in model.state_dict():
        assert role_of(name).training_only == (not name.startswith(EXPORTED)), name
    parts = {name for name, _ in model.named_children()} - {"model", "lm_head"}
    assert set(training_only_modules(model)) == parts
    kept = {name: p for name, p in model.named_parameters() if name.startswith(EXPORTED)}
    assert exported_parameters(model) == sum(p.numel() for p in kept.values())
    assert exported_parameters(model) <= count_parameters(model)
    assert exported_state(model).keys() >= kept.keys()


def test_linear_layers_and_tables_are_quantized_and_nothing_else(model):
    owners = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Embedding)
    }
    for name, _ in model.named_parameters():
        role = role_of(name)
        assert bool(role.quantization) == (name in owners and not role.training_only), name


def test_muon_takes_all_matrices_of_layers_and_no_others(model):
    for name, parameter in model.named_parameters():
        is_matrix = layer_of(name) is not None and parameter.ndim == 2
        assert (role_of(name).param_group == "matrix") == is_matrix, name


def test_each_residual_branch_has_one_last_projection(model):
    ends = [name for name, _ in model.named_parameters() if role_of(name).residual_output]
    for number, layer in enumerate(model.layers):
        of_layer = [name for name in ends if layer_of(name) == number]
        experts = sum(".experts." in name for name in of_layer)
        assert len(of_layer) == 2 + experts
        assert all(layer.get_parameter(name.split(".", 3)[3]).ndim == 2 for name in of_layer)
