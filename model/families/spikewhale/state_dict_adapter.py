"""State dict adapter: the released names and shapes of SpikeWhaleLM's weights.

Most names are the same. Released files have the output layer as a second copy of the embedding, and
RoPE tables for each layer. They split the tables of the engram and of the hyper-connections,
which are one tensor here so that one operation reads them.
"""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from spiketok.errors import SpikeError

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.rope import rope_cos_sin
from .model import SpikeWhaleLM

Tensors = dict[str, Tensor]

ENGRAM = {
    "model.engram.compressor": "model.engram.compressor.proj.weight",
    "model.engram.gate.weight": "model.engram.gate.proj.weight",
    "model.engram.gate.bias": "model.engram.gate.proj.bias",
    "model.engram.slope": "model.engram.gate.alpha",
    "model.engram.shift": "model.engram.gate.bias",
    "model.engram.height": "model.engram.gate.gamma",
}
# Parts that the releases switch off.
UNNAMED = re.compile(r".*\.(derf\..+|token_gate|ffn\.(gate|experts|shared_experts)\..+)")
BRANCHES, BRANCH_LOGITS = ("hc_attn", "hc_ffn"), ("pre_logits", "post_logits", "res_logits")
TABLE, HEAD, EMBEDDING = "model.engram.table.weight", "lm_head.weight", "model.embed_tokens.weight"


def to_published(
    weights: Mapping[str, Tensor], config: ModelConfig, whale: SpikeWhaleConfig
) -> Tensors:
    """Return the published tensors, of any shape, for the state dict of such a model.

    Raises:
        SpikeError: the model has a part that the releases switch off and do not name.
    """
    if unnamed := sorted(name for name in weights if UNNAMED.fullmatch(name)):
        raise SpikeError(f"{unnamed[0]}: the published layout has no name for it; switch it off")
    pieces = _pieces(weights, config, whale)
    published: Tensors = {}
    for ours, names in pieces.items():
        published |= zip(names, _cut(ours, weights[ours], len(names)), strict=True)
    rotary = _rotary_pairs(config, whale)
    return published | {HEAD: published[EMBEDDING]} | dict.fromkeys(_rotary_names(config), rotary)


def from_published(
    published: Mapping[str, Tensor], config: ModelConfig, whale: SpikeWhaleConfig
) -> Tensors:
    """Return the state dict for published tensors of any shape; RoPE tables are computed again.

    Raises:
        SpikeError: a tensor is missing or unknown, or the output layer is not the embedding.
    """
    with torch.device("meta"):
        model = SpikeWhaleLM(config, whale, len(published.get(EMBEDDING, ())), eos_id=0)
    pieces = _pieces(model.state_dict(), config, whale)
    known = {name for names in pieces.values() for name in names}
    computed = {HEAD, *_rotary_names(config)}
    for name in sorted(known ^ (published.keys() - computed)):
        fault = "missing" if name in known else "not in this configuration"
        raise SpikeError(f"{name}: {fault}; use the configuration of these weights")
    if HEAD in published and not torch.equal(published[HEAD], published[EMBEDDING]):
        raise SpikeError(
            f"{HEAD}: differs from {EMBEDDING}; use weights of SpikeWhaleLM, which ties them"
        )
    return {
        ours: _join(ours, [published[name] for name in names]) for ours, names in pieces.items()
    }


def _pieces(
    ours: Iterable[str], config: ModelConfig, whale: SpikeWhaleConfig
) -> dict[str, list[str]]:
    """Return the published names into which each tensor is split."""
    hyper, lookup = "model.hyper_connections", "model.engram.lookup"
    split = {
        f"{hyper}.{logits}": [
            f"model.layers.{layer}.{branch}.{logits}"
            for layer in range(config.layers)
            for branch in BRANCHES
        ]
        for logits in BRANCH_LOGITS
    }
    split[f"{hyper}.out_logits"] = ["model.hc_out_mix.logits"]
    split[TABLE] = [f"{lookup}.tables.{head}.weight" for head in range(whale.engram_num_heads)]
    split["model.engram.projections"] = [
        f"{lookup}.hash_proj_n{length}_p{place}"
        for length in range(1, whale.engram_max_ngram + 1)
        for place in range(length)
    ]
    return {name: split.get(name, [ENGRAM.get(name, name)]) for name in ours}


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
