import pytest

from spike_lm.model.config.quantization import Clip, QuantizeConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import quantizable_weights, role_of
from spike_lm.model.quantization.plan import Precision, quantization_plan
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, tiny_config, whale_config

MODELS = {
    "plain": tiny_config(),
    "untied": tiny_config("model.tie_embeddings=false"),
    "golf": golf_config(),
    "whale": whale_config(*WHALE_RARE, "spikewhale.moe_layers=[1]", "spikewhale.num_hash_layers=0"),
}
# Owners of the matrices, layers and experts apart.
EXPECTED = {
    "plain": {
        "attn": {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"},
        "mlp": {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
        "embed": {"embed_tokens"},
        "other": set(),
    },
    "golf": {
        "attn": {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"},
        "mlp": {"mlp.up_proj", "mlp.down_proj"},
        "embed": {"embed_tokens", "bigram_embedding.table", "value_embedding.table"},
        "other": {"bigram_embedding.proj", "value_embedding.proj"},
    },
    "whale": {
        "attn": {f"attn.{p}_proj" for p in ("q_a", "q_b", "k", "v", "o_a", "o_b")},
        "mlp": {
            f"ffn.{prefix}{p}_proj"
            for prefix in ("", "experts.0.", "experts.1.", "experts.2.", "shared_experts.")
            for p in ("gate", "up", "down")
        },
        "embed": {"embed_tokens", "engram.table"},
        "other": {"engram.gate", "ffn.gate", "hrm_refine.down", "hrm_refine.up"},
    },
}
EXPECTED["untied"] = EXPECTED["plain"] | {"embed": {"embed_tokens", "lm_head"}}


def model_of(family):
    return build_model(MODELS[family], VOCAB, eos_id=3, device="meta")


def owner(name):
    parts = name.removesuffix(".weight").removeprefix("model.").split(".")
    return ".".join(parts[2:] if parts[0] == "layers" else parts)


@pytest.mark.parametrize("family", MODELS)
def test_each_matrix_is_of_the_part_listed(family):
    found = {part: set() for part in EXPECTED[family]}
    for name in quantizable_weights(model_of(family)):
        found[role_of(name).quantization].add(owner(name))
    assert found == EXPECTED[family]


@pytest.mark.parametrize("family", MODELS)
def test_all_that_is_large_is_a_matrix(family):
    model = model_of(family)
    rest = set(dict(model.named_parameters())) - set(quantizable_weights(model))
    training_only = ("mtp_heads", "jepa", "model.engram.compressor")
    small = tuple(f"model.{name}" for name in ("memory", "unet_skips", "hyper_connections"))
    for name in rest:
        shape = model.get_parameter(name).shape
        assert len(shape) < 2 or name.startswith((*training_only, *small)) or "derf" in name, name


def test_a_plan_names_every_matrix():
    model = model_of("golf")
    settings = QuantizeConfig(bits="mlp=int5,attn=int6,embed=int8", clip="std=12.5")
    plan = quantization_plan(model, settings)
    assert plan.keys() == quantizable_weights(model).keys()
    clip = Clip("std", 12.5)
    assert plan["model.layers.3.mlp.down_proj.weight"] == Precision(5, clip)
    assert plan["model.layers.0.self_attn.k_proj.weight"] == Precision(6, clip)
    assert plan["model.embed_tokens.weight"] == Precision(8, clip)
    assert plan["model.bigram_embedding.proj.weight"] == Precision(16, clip)
    assert [Precision(b).is_integer for b in (2, 8, 16, 32)] == [True, True, False, False]
