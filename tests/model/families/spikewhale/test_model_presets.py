"""The SpikeWhale presets are the releases' models, to the parameter."""

import tomllib
from importlib.resources import files

import pytest

from spike_lm.model import load_config, preset_names
from spike_lm.model.config.spikewhale import SpikeWhaleConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import count_parameters, exported_parameters

COUNTS = {"escarda": (85_656_196, 85_635_716), "byrne": (85_327_875, 85_307_395)}


def of(name):
    config = load_config(name)
    return build_model(config, config.model.vocab_size or 1024, eos_id=3, device="meta")


@pytest.mark.parametrize("kind", ["base", "chat"])
@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_those_of_the_release(name, kind):
    model = of(f"{name}-86m-{kind}")
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert (count_parameters(model), trained) == COUNTS[name]
    assert exported_parameters(model) == 84_918_275
    assert all(parameter.is_meta for parameter in model.parameters())


def test_the_base_explains_every_key_and_the_others_have_its_model():
    preset = files("spike_lm.model.config") / "presets/escarda-86m-base.toml"
    sections = tomllib.loads(preset.read_text())
    assert set(sections["spikewhale"]) == set(SpikeWhaleConfig.__struct_fields__)
    base, chat = (load_config(f"escarda-86m-{kind}") for kind in ("base", "chat"))
    assert (base.model, base.spikewhale) == (chat.model, chat.spikewhale)
    base, chat = (load_config(f"byrne-86m-{kind}") for kind in ("base", "chat"))
    assert (base.model, base.spikewhale) == (chat.model, chat.spikewhale)


@pytest.mark.parametrize("name", COUNTS)
def test_the_small_sibling_has_every_feature_on(name):
    large, small = (load_config(f"{name}-{size}").spikewhale for size in ("86m-base", "tiny"))
    off = SpikeWhaleConfig()
    for key in SpikeWhaleConfig.__struct_fields__:
        is_on = [getattr(whale, key) != getattr(off, key) for whale in (large, small)]
        if not key.endswith(("_width", "_dim", "_rank", "_layers")):
            assert is_on[0] == is_on[1], key
    assert small.jepa_horizon == (1 if name == "escarda" else 0)
    assert count_parameters(of(f"{name}-tiny")) < 2_000_000


def test_experts_that_see_no_token_do_not_count_as_work():
    config = load_config(
        "byrne-tiny", ["spikewhale.moe_layers=[1]", "spikewhale.n_routed_experts=6"]
    )
    dense, sparse = of("byrne-tiny"), build_model(config, 1024, eos_id=3, device="meta")
    # Two of six and the shared one instead of one, and the router.
    assert sparse.flops_per_token() - dense.flops_per_token() == 6 * (2 * 3 * 128 * 384 + 6 * 128)


def test_no_preset_is_forgotten():
    whale = {name for name in preset_names() if load_config(name).spikewhale is not None}
    assert whale == {f"{n}-{kind}" for n in COUNTS for kind in ("86m-base", "86m-chat", "tiny")}
