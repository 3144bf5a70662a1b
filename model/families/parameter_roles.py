"""Parameter roles: one table by the names of parameters, and functions on weights by name.

The optimisers' `param_groups`, quantization, initialisation, test-time training and export take
the role of a parameter from here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

Group: TypeAlias = Literal["attn", "mlp", "embed", "other"]


class Role(NamedTuple):
    """Role of a parameter in optimisers, quantization, initialisation and export."""

    param_group: Literal["matrix", "table", "vector", "memory", "mtp"]
    """Parameter group of the optimisers: Muon trains matrices, AdamW the others."""
    quantization: Group | None = None
    """Part of the model in `[quantize]`; None: is not quantized."""
    residual_output: bool = False
    """Whether it is the last projection of a residual branch."""
    training_only: bool = False
    """Whether only training uses it; it is not exported."""


LAYER = r"model\.layers\.\d+\."
# The first pattern that matches a whole name gives its role. Routers choose among experts, and the
# projections of small tables widen them: neither is part of attention or of a feed-forward network.
ROLES = tuple(
    (re.compile(pattern), role)
    for pattern, role in (
        (r"(model\.embed_tokens|lm_head)\.weight", Role("table", "embed")),
        (
            r"model\.(bigram_embedding|value_embedding|engram)\.table\.weight",
            Role("table", "embed"),
        ),
        (LAYER + r"(self_attn\.o_proj|attn\.o_b_proj)\.weight", Role("matrix", "attn", True)),
        (LAYER + r"(self_attn|attn)\.\w+_proj\.weight", Role("matrix", "attn")),
        (LAYER + r"(mlp|ffn)\.(\w+\.)*down_proj\.weight", Role("matrix", "mlp", True)),
        (LAYER + r"(mlp|ffn)\.(\w+\.)*\w+_proj\.weight", Role("matrix", "mlp")),
        (LAYER + r"ffn\.gate\.weight", Role("matrix", "other")),
        (r"model\.\w+_embedding\.proj\.weight", Role("vector", "other")),
        (r"model\.(engram\.gate|hrm_refine\.(down|up))\.weight", Role("vector", "other")),
        (r"model\.memory_tokens\.rows", Role("memory")),
        (r"mtp_heads\..+", Role("mtp", training_only=True)),
        (r"jepa\..+", Role("vector", training_only=True)),
    )
)


def role_of(name: str) -> Role:
    """Return the role of the parameter of this name; a gain, bias or other vector has none.

    >>> role_of("model.layers.0.mlp.up_proj.weight").quantization
    'mlp'
    >>> role_of("model.layers.0.input_layernorm.weight")
    Role(param_group='vector', quantization=None, residual_output=False, training_only=False)
    """
    return next((role for pattern, role in ROLES if pattern.fullmatch(name)), Role("vector"))


def layer_of(name: str) -> int | None:
    """Return the number of the decoder layer that a parameter belongs to; None: to none.

    >>> layer_of("model.layers.12.mlp.up_proj.weight")
    12
    """
    match = re.match(r"model\.layers\.(\d+)\.", name)
    return int(match[1]) if match else None


def quantizable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the matrices and tables that quantization may round, by name."""
    return {name: p for name, p in model.named_parameters() if role_of(name).quantization}


def count_parameters(model: nn.Module) -> int:
    """Return the number of weights; a shared table counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def training_only_modules(model: nn.Module) -> list[str]:
    """Return the names of the modules that only training uses, such as MTP heads."""
    names = (name for name, _ in model.named_parameters() if role_of(name).training_only)
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


def exported_parameters(model: nn.Module) -> int:
    """Return the number of exported weights, that is, without those for training only."""
    return sum(p.numel() for name, p in model.named_parameters() if not role_of(name).training_only)


def exported_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict for export: tensors of any shape, without those for training only."""
    state = model.state_dict()
    return {name: weight for name, weight in state.items() if not role_of(name).training_only}


@contextmanager
def swapped_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Swap in weights, by the names of parameters, inside the block; then restore the own ones.

    Gradients taken inside are of the swapped values: with rounded weights, those of a
    straight-through estimator. Weights have any shape, that of their parameter.
    """
    own = {name: p.detach().clone() for name, p in model.named_parameters() if name in weights}
    load_weights_(model, weights)
    try:
        yield
    finally:
        load_weights_(model, own)


@torch.no_grad()
def load_weights_(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights, of any shape, into the parameters of their names; others stay."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])
