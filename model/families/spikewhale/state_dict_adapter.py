"""State dict adapter: the released names and shapes of SpikeWhaleLM's weights.

Released files have the output layer as a second copy of the embedding, and rotary tables for each
layer. They split the tables of the engram and of the hyper-connections.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from spiketok.errors import SpikeError

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.rope import rope_cos_sin

Tensors = dict[str, Tensor]

ONCE = {
    "embedding.weight": "model.embed_tokens.weight",
    "engram.compressor": "model.engram.compressor.proj.weight",
    "engram.gate.weight": "model.engram.gate.proj.weight",
    "engram.gate.bias": "model.engram.gate.proj.bias",
    "engram.slope": "model.engram.gate.alpha",
    "engram.shift": "model.engram.gate.bias",
    "engram.height": "model.engram.gate.gamma",
    "connections.end": "model.hc_out_mix.logits",
    "refinement.norm.weight": "model.hrm_refine.norm.weight",
    "refinement.down.weight": "model.hrm_refine.down.weight",
    "refinement.up.weight": "model.hrm_refine.up.weight",
    "refinement.gates": "model.hrm_refine.gate",
    "norm.weight": "model.norm.weight",
    "latent.norm.weight": "jepa.norm.weight",
    "latent.down.weight": "jepa.down.weight",
    "latent.up.weight": "jepa.up.weight",
    "latent.gates": "jepa.gate",
}
PER_LAYER = {
    "attention_norm": "attn_norm",
    "attention.query_down": "attn.q_a_proj",
    "attention.query_down_norm": "attn.q_a_norm",
    "attention.query_up": "attn.q_b_proj",
    "attention.key": "attn.k_proj",
    "attention.value": "attn.v_proj",
    "attention.output_down": "attn.o_a_proj",
    "attention.output_up": "attn.o_b_proj",
    "attention.query_norm": "attn.q_norm",
    "attention.key_norm": "attn.k_norm",
    "feed_forward_norm": "ffn_norm",
    "feed_forward.gate": "ffn.gate_proj",
    "feed_forward.up": "ffn.up_proj",
    "feed_forward.down": "ffn.down_proj",
}
BRANCH_NAMES = ("hc_attn", "hc_ffn")
BRANCH_LOGITS = {"read": "pre_logits", "write": "post_logits", "mix": "res_logits"}
TABLE, HEAD, EMBEDDING = "engram.table.weight", "lm_head.weight", "model.embed_tokens.weight"


def to_published(
    weights: Mapping[str, Tensor], config: ModelConfig, whale: SpikeWhaleConfig
) -> Tensors:
    """Return the published tensors for the state dict of a model of that configuration.

    Raises:
        SpikeError: the model has a part that the releases switch off and do not name.
    """
    pieces = _pieces(config, whale)
    published: Tensors = {}
    for ours, weight in weights.items():
        if ours not in pieces:
            raise SpikeError(f"{ours}: the published layout has no name for it; switch it off")
        published |= zip(pieces[ours], _cut(ours, weight, len(pieces[ours])), strict=True)
    rotary = _rotary_pairs(config, whale)
    return published | {HEAD: published[EMBEDDING]} | dict.fromkeys(_rotary_names(config), rotary)


def from_published(
    published: Mapping[str, Tensor], config: ModelConfig, whale: SpikeWhaleConfig
) -> Tensors:
    """Return the state dict for published tensors; rotary tables are computed again.

    Raises:
        SpikeError: a tensor is missing or unknown, or the output layer is not the embedding.
    """
    pieces = _pieces(config, whale)
    known = {name for names in pieces.values() for name in names}
    made_anew = {HEAD, *_rotary_names(config)}
    for name in sorted(known ^ (published.keys() - made_anew)):
        raise SpikeError(f"{name}: {'missing' if name in known else 'not in this configuration'}")
    if HEAD in published and not torch.equal(published[HEAD], published[EMBEDDING]):
        raise SpikeError(f"{HEAD}: not the embedding; SpikeWhaleLM ties its tables")
    return {
        ours: _join(ours, [published[name] for name in names]) for ours, names in pieces.items()
    }


def _pieces(config: ModelConfig, whale: SpikeWhaleConfig) -> dict[str, list[str]]:
    """Return, for each tensor of spike, the published ones that it is split into."""
    parts = {
        "engram": bool(whale.engram_table_size),
        "connections": whale.hc_mult > 1,
        "refinement": bool(whale.hrm_refine_steps),
        "latent": bool(whale.jepa_horizon),
    }
    pieces = {ours: [name] for ours, name in ONCE.items() if parts.get(ours.split(".")[0], True)}
    layers = range(config.layers)
    for layer in layers:
        for ours, name in PER_LAYER.items():
            pieces[f"blocks.{layer}.{ours}.weight"] = [f"model.layers.{layer}.{name}.weight"]
    for head in range(whale.mtp_num_heads):
        pieces[f"ahead.heads.{head}.weight"] = [f"mtp_heads.{head}.proj.weight"]
    if parts["connections"]:
        for ours, name in BRANCH_LOGITS.items():
            pieces[f"connections.{ours}"] = [
                f"model.layers.{layer}.{branch}.{name}"
                for layer in layers
                for branch in BRANCH_NAMES
            ]
    if parts["engram"]:
        lookup = "model.engram.lookup"
        pieces[TABLE] = [f"{lookup}.tables.{head}.weight" for head in range(whale.engram_num_heads)]
        pieces["engram.projections"] = [
            f"{lookup}.hash_proj_n{order}_p{place}"
            for order in range(1, whale.engram_max_ngram + 1)
            for place in range(order)
        ]
    return pieces


def _cut(ours: str, weight: Tensor, count: int) -> list[Tensor]:
    if count == 1:
        return [weight]
    return list(weight.chunk(count) if ours == TABLE else weight.unbind())


def _join(ours: str, pieces: list[Tensor]) -> Tensor:
    if len(pieces) == 1:
        return pieces[0]
    return torch.cat(pieces) if ours == TABLE else torch.stack(pieces)


def _rotary_names(config: ModelConfig) -> list[str]:
    return [f"model.layers.{layer}.attn.rope.freqs_cis" for layer in range(config.layers)]


def _rotary_pairs(config: ModelConfig, whale: SpikeWhaleConfig) -> Tensor:
    """Return cosine and sine of each position and pair, [context, R / 2, 2]."""
    tables = rope_cos_sin(
        positions=config.context,
        head_dim=whale.qk_rope_head_dim or config.head_dim,
        base=config.rope_base,
    )
    return torch.stack([table.chunk(2, dim=-1)[0] for table in tables], dim=-1)
