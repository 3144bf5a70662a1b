"""Parameter roles, counts and temporary values of a model's parameters."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from ..config.quantization import Part
from .qwen3.model import count_parameters


@contextmanager
def swapped_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Replace the values of the parameters of these names inside the block; then restore them.

    Gradients taken inside are of the replaced values: with rounded weights, those of a
    straight-through estimator.
    """
    own = {name: p.detach().clone() for name, p in model.named_parameters() if name in weights}
    load_weights_(model, weights)
    try:
        yield
    finally:
        load_weights_(model, own)


@torch.no_grad()
def load_weights_(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into the parameters of their names; others stay."""
    for name, parameter in model.named_parameters():
        if name in weights:
            parameter.copy_(weights[name])


# Trained-only parts, such as MTP heads; a model may lack them.
AUXILIARY_MODULES = ("ahead", "latent")


def training_only_modules(model: nn.Module) -> list[str]:
    """Return the names of the trained-only parts, such as MTP heads."""
    return [name for name in AUXILIARY_MODULES if getattr(model, name, None) is not None]


def exported_parameters(model: nn.Module) -> int:
    """Return the number of weights without trained-only ones."""
    training_only = [model.get_submodule(name) for name in training_only_modules(model)]
    return count_parameters(model) - sum(map(count_parameters, training_only))


Role: TypeAlias = Literal["matrix", "table", "vector", "memory", "ahead"]


def role_of(name: str, parameter: torch.Tensor) -> Role:
    """Return a parameter's role in the optimisers, by its name in the model."""
    owner = name.rpartition(".")[0]
    if name.startswith("blocks.") and parameter.ndim == 2:
        return "matrix"
    if owner == "memory":
        return "memory"
    if owner.startswith("ahead"):
        return "ahead"
    is_table = parameter.ndim == 2 and owner.endswith(("embedding", "table", "head"))
    return "table" if is_table else "vector"


def quantizable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the matrices by the names of their parameters; a shared table has one."""
    training_only = tuple(f"{name}." for name in training_only_modules(model))
    found: dict[str, nn.Parameter] = {}
    for owner, module in model.named_modules():
        is_one = isinstance(module, nn.Linear | nn.Embedding)
        if is_one and not owner.startswith(training_only):
            found[f"{owner}.weight"] = module.weight
    return found


def quantization_group(name: str) -> Part:
    """Return the part of a model that the matrix of this name belongs to.

    Tables and output layers are `embed`. `other` are matrices between them and the layers, and
    routers, which choose among experts.

    >>> owners = ("blocks.0.feed_forward.up", "bigram.table")
    >>> [quantization_group(f"{owner}.weight") for owner in owners]
    ['mlp', 'embed']
    """
    owner = name.removesuffix(".weight")
    if ".attention." in owner:
        return "attn"
    if ".feed_forward." in owner and not owner.endswith(".router"):
        return "mlp"
    return "embed" if owner.endswith(("embedding", "table", "head")) else "other"
