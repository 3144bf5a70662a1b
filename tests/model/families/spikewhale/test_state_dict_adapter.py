import math
from pathlib import Path

import pytest
import torch

from spike_lm.model import load_config
from spike_lm.model.families.build import build_model
from spike_lm.model.families.spikewhale.state_dict_adapter import from_published, to_published
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB, shaken, whale_config

TABLE = Path(__file__).parents[5] / "shared/specs/spikewhale_state_dict.tsv"


@pytest.mark.skipif(not TABLE.exists(), reason=f"{TABLE} is absent")
@pytest.mark.parametrize(
    ("name", "tensors", "elements"),
    [("escarda-86m", 363, 97_272_836), ("byrne-86m", 359, 96_944_515)],
)
@pytest.mark.parametrize("kind", ["base", "chat"])
def test_names_and_shapes_are_the_published_ones(name, tensors, elements, kind):
    config = load_config(f"{name}-{kind}")
    model = build_model(config, config.model.vocab_size, eos_id=3, device="meta")
    published = to_published(model.state_dict(), config.model, config.spikewhale)
    expected = {}
    for line in TABLE.read_text().splitlines()[1:]:
        tensor, shape, dtype, kind_of_tensor, _ = line.split("\t")
        if name == "escarda-86m" or "Escarda only" not in kind_of_tensor:
            expected[tensor] = (shape, dtype)
    found = {
        tensor: (str(list(weight.shape)), {torch.float32: "F32"}[weight.dtype])
        for tensor, weight in published.items()
    }
    assert found == expected
    assert len(found) == tensors
    assert sum(weight.numel() for weight in published.values()) == elements


def test_there_and_back():
    config = whale_config("spikewhale.jepa_horizon=1", "spikewhale.num_nextn_predict_layers=1")
    model = shaken(build_model(config, VOCAB, eos_id=3, seed=1))
    weights = model.state_dict()
    published = to_published(weights, config.model, config.spikewhale)
    back = from_published(published, config.model, config.spikewhale)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weight) for name, weight in weights.items())
    assert torch.equal(published["lm_head.weight"], published["model.embed_tokens.weight"])
    assert torch.equal(
        published["model.layers.1.hc_ffn.pre_logits"],
        weights["model.hyper_connections.pre_logits"][3],
    )
    assert torch.equal(
        published["model.engram.lookup.hash_proj_n3_p1"], weights["model.engram.projections"][4]
    )
    rotary = published["model.layers.0.attn.rope.freqs_cis"]
    assert rotary.shape == (12, 2, 2)
    torch.testing.assert_close(rotary[2, 0], torch.tensor([math.cos(2), math.sin(2)]))


def _without_norm(published):
    del published["model.norm.weight"]


def _with_more(published):
    published["model.extra"] = torch.zeros(1)


def _untied(published):
    published["lm_head.weight"] = published["lm_head.weight"] + 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_norm, "model.norm.weight: missing"),
        (_with_more, "model.extra: not in this configuration"),
        (_untied, "lm_head.weight: differs from model.embed_tokens.weight"),
    ],
)
def test_what_is_not_the_release_is_refused(damage, message):
    config = whale_config()
    model = build_model(config, VOCAB, eos_id=3)
    published = to_published(model.state_dict(), config.model, config.spikewhale)
    damage(published)
    with pytest.raises(SpikeError, match=message):
        from_published(published, config.model, config.spikewhale)


def test_parts_without_a_published_name_are_refused():
    config = whale_config("spikewhale.use_derf=true")
    model = build_model(config, VOCAB, eos_id=3)
    with pytest.raises(SpikeError, match=r"model.layers.0.attn.derf.height: the published layout"):
        to_published(model.state_dict(), config.model, config.spikewhale)
