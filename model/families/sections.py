"""Family sections of a configuration: `[golf]` and `[spikewhale]`."""

import msgspec

from ..config.schema import Config

# A model of none of these families is the plain, Qwen3-shaped transformer.
FAMILY_SECTIONS = ("golf", "spikewhale")


def family_sections(config: Config) -> dict[str, msgspec.Struct]:
    """Return the sections of a configuration that set its family, by name; at most one."""
    sections = {name: getattr(config, name) for name in FAMILY_SECTIONS}
    return {name: section for name, section in sections.items() if section is not None}


def without_training_only(config: Config) -> Config:
    """Return the configuration of a model without the heads that only training uses."""
    replace = msgspec.structs.replace
    golf, whale = config.golf, config.spikewhale
    return replace(
        config,
        golf=golf and replace(golf, mtp_num_heads=0),
        spikewhale=whale and replace(whale, num_nextn_predict_layers=0, jepa_horizon=0),
    )


def fewest_weights(config: Config) -> int:
    """Return a lower bound of the number of tensors: each layer and each expert has one."""
    whale = config.spikewhale
    experts = len(whale.moe_layers) * whale.n_routed_experts if whale else 0
    return config.model.layers + experts
