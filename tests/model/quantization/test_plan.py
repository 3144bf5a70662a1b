import pytest

from spike_lm.model.config.quantization import Clip, QuantizeConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameters import quantizable_weights, quantization_group
from spike_lm.model.quantization.plan import Precision, quantization_plan
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, tiny_config, whale_config

MODELS = {
    "plain": tiny_config(),
    "untied": tiny_config("model.tie_embeddings=false"),
    "golf": golf_config(),
    "whale": whale_config(
        *WHALE_RARE, "spikewhale.expert_layers=[1]", "spikewhale.hashed_layers=0"
    ),
}
# Owners of the matrices, layers and experts apart.
EXPECTED = {
    "plain": {
        "attn": {"attention.query", "attention.key", "attention.value", "attention.output"},
        "mlp": {"feed_forward.gate", "feed_forward.up", "feed_forward.down"},
        "embed": {"embedding"},
        "other": set(),
    },
    "golf": {
        "attn": {"attention.query", "attention.key", "attention.value", "attention.output"},
        "mlp": {"feed_forward.up", "feed_forward.down"},
        "embed": {"embedding", "bigram.table", "value_embedding.table"},
        "other": {"bigram.projection", "value_embedding.projection"},
    },
    "whale": {
        "attn": {
            f"attention.{p}"
            for p in ("query_down", "query_up", "key", "value", "output_down", "output_up")
        },
        "mlp": {
            f"feed_forward.{prefix}{p}"
            for prefix in ("", "experts.0.", "experts.1.", "experts.2.", "shared.")
            for p in ("gate", "up", "down")
        },
        "embed": {"embedding", "engram.table"},
        "other": {"engram.gate", "feed_forward.router", "refinement.down", "refinement.up"},
    },
}
EXPECTED["untied"] = EXPECTED["plain"] | {"embed": {"embedding", "head"}}


def model_of(family):
    return build_model(MODELS[family], VOCAB, eos_id=3, device="meta")


def owner(name):
    parts = name.removesuffix(".weight").split(".")
    return ".".join(parts[2:] if parts[0] == "blocks" else parts)


@pytest.mark.parametrize("family", MODELS)
def test_each_matrix_is_of_the_part_listed(family):
    found = {part: set() for part in EXPECTED[family]}
    for name in quantizable_weights(model_of(family)):
        found[quantization_group(name)].add(owner(name))
    assert found == EXPECTED[family]


@pytest.mark.parametrize("family", MODELS)
def test_all_that_is_large_is_a_matrix(family):
    model = model_of(family)
    rest = set(dict(model.named_parameters())) - set(quantizable_weights(model))
    training_only = ("ahead", "latent", "engram.compressor")
    small = ("memory", "skips", "connections")
    for name in rest:
        shape = model.get_parameter(name).shape
        assert len(shape) < 2 or name.startswith((*training_only, *small)) or "derf" in name, name


def test_a_plan_names_every_matrix():
    model = model_of("golf")
    settings = QuantizeConfig(bits="mlp=int5,attn=int6,embed=int8", clip="std=12.5")
    plan = quantization_plan(model, settings)
    assert plan.keys() == quantizable_weights(model).keys()
    clip = Clip("std", 12.5)
    assert plan["blocks.3.feed_forward.down.weight"] == Precision(5, clip)
    assert plan["blocks.0.attention.key.weight"] == Precision(6, clip)
    assert plan["embedding.weight"] == Precision(8, clip)
    assert plan["bigram.projection.weight"] == Precision(16, clip)
    assert [Precision(b).whole for b in (2, 8, 16, 32)] == [True, True, False, False]
