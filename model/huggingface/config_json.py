"""Fields of config.json from which `modeling_spike.py` builds a model."""

from typing import Any

import msgspec

from ..config.schema import Config

MODULE = "spike_model"
CLASS, MODEL_TYPE = "SpikeForCausalLM", "spike"
FAMILIES = ("golf", "spikewhale")
PREFIX = "model."


def spike_fields(config: Config, vocab_size: int, eos_id: int) -> dict[str, Any]:
    """Return the fields of config.json, with every key of the sections, defaults included."""
    shape = msgspec.structs.replace(config.model, vocab_size=vocab_size)
    sections = {"model": shape, **{name: getattr(config, name) for name in FAMILIES}}
    return {
        "architectures": [CLASS],
        "auto_map": {
            "AutoConfig": f"{MODULE}.SpikeConfig",
            "AutoModelForCausalLM": f"{MODULE}.{CLASS}",
        },
        "model_type": MODEL_TYPE,
        "sections": {
            name: msgspec.to_builtins(section) for name, section in sections.items() if section
        },
        "separator": eos_id,
        "vocab_size": vocab_size,
        "tie_word_embeddings": config.model.tie_embeddings,
    }


def without_practice(config: Config) -> Config:
    """Return the configuration of a model without trained-only heads."""
    golf, whale = config.golf, config.spikewhale
    if golf and golf.mtp_num_heads:
        config = msgspec.structs.replace(
            config, golf=msgspec.structs.replace(golf, mtp_num_heads=0)
        )
    if whale and (whale.mtp_num_heads or whale.jepa_horizon):
        bare = msgspec.structs.replace(whale, mtp_num_heads=0, jepa_horizon=0)
        config = msgspec.structs.replace(config, spikewhale=bare)
    return config
