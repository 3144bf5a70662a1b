"""Qwen3 configuration: the plain transformer as `Qwen3ForCausalLM` of `transformers`, and back.

Inference engines support this class, so a folder with it needs no code. The plain transformer is
the same function if its logits have no softcap, and its weights have the same names.
"""

from collections.abc import Mapping
from typing import Any

from spiketok.errors import SpikeError
from spiketok.json_values import shown

from ..config.schema import Config, ModelConfig
from ..families.sections import family_sections
from ..layers.rms_norm import NORM_EPS

CLASS, MODEL_TYPE = "Qwen3ForCausalLM", "qwen3"
# Key of `[model]` → key of config.json.
KEYS = {
    "layers": "num_hidden_layers",
    "dim": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "ffn_dim": "intermediate_size",
    "context": "max_position_embeddings",
    "tie_embeddings": "tie_word_embeddings",
    "vocab_size": "vocab_size",
}
# Properties of spike's blocks; a config.json with other values describes another function.
FIXED = {
    "hidden_act": "silu",
    "rms_norm_eps": NORM_EPS,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "use_sliding_window": False,
}


def keys_beyond_stock(config: Config) -> list[str]:
    """Return the sections and keys that `Qwen3ForCausalLM` does not support."""
    return [*family_sections(config)] + (
        ["model.logit_softcap"] if config.model.logit_softcap else []
    )


def stock_fields(model: ModelConfig, vocab_size: int) -> dict[str, Any]:
    """Return the fields of config.json for a model of that shape."""
    return {
        "architectures": [CLASS],
        "model_type": MODEL_TYPE,
        **{theirs: getattr(model, ours) for ours, theirs in KEYS.items()},
        "vocab_size": vocab_size,
        "rope_parameters": {"rope_type": "default", "rope_theta": model.rope_base},
        # Engines written for transformers 4 read it here.
        "rope_theta": model.rope_base,
        **FIXED,
        "sliding_window": None,
        "max_window_layers": model.layers,
    }


def model_section(fields: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return the section `[model]` for a config.json; values are not checked yet.

    Raises:
        SpikeError: a key is missing, or has a value that the plain transformer does not support.
    """
    rope = fields.get("rope_parameters")
    rope = rope if isinstance(rope, dict) else {"rope_theta": fields.get("rope_theta")}
    supported = {**FIXED, "rope_type": "default", "rope_scaling": None}
    for key, value in supported.items():
        given = rope.get(key, fields.get(key, value))
        if given != value:
            raise SpikeError(
                f"{place}: {key}: {shown(given)} is not supported; use a model with {value!r}"
            )
    # Engines write it in either place or in both.
    bases = [place_of["rope_theta"] for place_of in (rope, fields) if place_of.get("rope_theta")]
    if bases[1:] and bases[0] != bases[1]:
        raise SpikeError(
            f"{place}: rope_theta: {shown(bases[0])} and {shown(bases[1])}; make both equal"
        )
    layer_types = fields.get("layer_types") or []
    if not isinstance(layer_types, list) or any(kind != "full_attention" for kind in layer_types):
        raise SpikeError(
            f"{place}: layer_types: not supported; use a model with full_attention alone"
        )
    section = {ours: fields.get(theirs) for ours, theirs in KEYS.items()}
    section["rope_base"] = bases[0] if bases else None
    for ours, value in section.items():
        if value is None:
            raise SpikeError(
                f"{place}: {KEYS.get(ours, 'rope_theta')}: missing; add it, or export again"
            )
    return {**section, "logit_softcap": 0.0}
