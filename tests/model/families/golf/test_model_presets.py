"""The golf presets are the records' models, to the parameter."""

import pytest

from spike_lm.model import load_config, preset_names
from spike_lm.model.config.schema import GolfConfig
from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import count_parameters, exported_parameters
from spike_lm.model.training.optimizers import build_optimizers

COUNTS = {
    "bese-golf": (26_522_716, 26_522_716),
    "ngram-golf": (33_317_980, 33_317_980),
    "memory-golf": (26_598_481, 25_549_905),
}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_those_of_the_record(name):
    config = load_config(name)
    model = build_model(config, config.model.vocab_size, eos_id=0, device="meta")
    assert (count_parameters(model), exported_parameters(model)) == COUNTS[name]
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("name", COUNTS)
def test_the_small_sibling_has_every_feature_on(name):
    large, small = (load_config(n) for n in (name, f"{name}-tiny"))
    off = GolfConfig()
    for key in GolfConfig.__struct_fields__:
        is_on = [getattr(config.golf, key) != getattr(off, key) for config in (large, small)]
        if not key.endswith(("_dim", "_gain", "_init")):
            assert is_on[0] == is_on[1], key
    for key in ("ema_decay", "swa_every"):
        assert bool(getattr(large.averaging, key)) == bool(getattr(small.averaging, key))
    model = build_model(small, 1024, eos_id=3, device="meta")
    assert count_parameters(model) < 2_000_000
    assert len(build_optimizers(model, small.optimizer)) == 2


def test_the_first_preset_explains_every_key():
    import tomllib
    from importlib.resources import files

    text = (files("spike_lm.model.config") / "presets/bese-golf.toml").read_text()
    sections = tomllib.loads(text)
    assert set(sections["golf"]) == set(GolfConfig.__struct_fields__)
    assert set(sections["averaging"]) == set(load_config("bese-golf").averaging.__struct_fields__)


def test_no_preset_is_forgotten():
    golf = {name for name in preset_names() if load_config(name).golf is not None}
    assert golf == set(COUNTS) | {f"{name}-tiny" for name in COUNTS}
