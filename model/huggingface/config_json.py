"""Model configuration in config.json, from which `modeling_spike.py` builds a model."""

from typing import Any

import msgspec

from ..config.schema import Config
from ..families.sections import family_sections

MODULE = "spike_model"
CLASS, MODEL_TYPE = "SpikeForCausalLM", "spike"


def spike_fields(config: Config, vocab_size: int, eos_id: int) -> dict[str, Any]:
    """Return the fields of config.json, with every key of the sections, defaults included."""
    shape = msgspec.structs.replace(config.model, vocab_size=vocab_size)
    sections = {"model": shape, **family_sections(config)}
    return {
        "architectures": [CLASS],
        "auto_map": {
            "AutoConfig": f"{MODULE}.SpikeConfig",
            "AutoModelForCausalLM": f"{MODULE}.{CLASS}",
        },
        "model_type": MODEL_TYPE,
        "sections": {name: msgspec.to_builtins(section) for name, section in sections.items()},
        "separator": eos_id,
        "vocab_size": vocab_size,
        "tie_word_embeddings": config.model.tie_embeddings,
    }
