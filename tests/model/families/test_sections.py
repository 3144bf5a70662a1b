from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import exported_state
from spike_lm.model.families.sections import (
    family_sections,
    fewest_weights,
    without_training_only,
)
from tests.model.tiny import VOCAB, WHALE_RARE, golf_config, tiny_config, whale_config

CONFIGS = [tiny_config(), golf_config(), whale_config(), whale_config(*WHALE_RARE)]


def test_the_sections_are_those_of_the_family():
    assert [list(family_sections(config)) for config in CONFIGS] == [
        [],
        ["golf"],
        ["spikewhale"],
        ["spikewhale"],
    ]


def test_a_model_without_training_heads_has_the_exported_weights():
    for config in CONFIGS:
        model = build_model(config, VOCAB, eos_id=3, device="meta")
        bare = build_model(without_training_only(config), VOCAB, eos_id=3, device="meta")
        assert bare.state_dict().keys() == exported_state(model).keys()
        assert fewest_weights(config) <= len(exported_state(model))
