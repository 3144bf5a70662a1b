"""Trainable weights of test-time training: whole parameters, or LoRA factors added to them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spiketok.errors import SpikeError

from ...config.ttt import TTTConfig
from ...families.language_model import LanguageModel
from ...families.parameter_roles import layer_of, role_of
from .lora import factor_gradients, start_factors, with_factors


@dataclass(frozen=True, slots=True)
class TrainedParameter:
    """Trained parameter, with its own values or two low-rank factors as leaves."""

    parameter: nn.Parameter
    start: Tensor
    """Its initial values."""
    leaves: tuple[Tensor, ...]
    """Tensors that the optimiser updates."""
    means: tuple[Tensor, ...]
    """Means of the leaves over the steps."""


def chosen_parameters(
    model: LanguageModel, settings: TTTConfig
) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the trained parameters: matrices of the last blocks, and vectors anywhere.

    Tables, memory tokens, frozen parameters and those for training only are left out.

    Raises:
        SpikeError: the model has fewer blocks, or no parameter is chosen.
    """
    layers = model.config.layers
    if settings.blocks > layers:
        raise SpikeError(
            f"test-time training: blocks={settings.blocks}, but the model has {layers}; "
            f"use blocks={layers} or fewer"
        )
    if not (settings.blocks or settings.vectors):
        raise SpikeError(
            "test-time training: blocks=0 and vectors=false train no weight; set one of both"
        )
    for name, parameter in model.named_parameters():
        layer = layer_of(name)
        if parameter.ndim > 1:
            chosen = layer is not None and layer >= layers - settings.blocks
        else:
            chosen = settings.vectors and not role_of(name).training_only
        if chosen:
            yield name, parameter


def start_learned(model: LanguageModel, settings: TTTConfig) -> list[TrainedParameter]:
    """Return the chosen parameters with their leaves; their values are unchanged.

    With a rank, linear layers are trained through LoRA factors, all others directly.
    """
    linear = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    found = []
    for name, parameter in chosen_parameters(model, settings):
        start = parameter.detach().clone()
        narrow = settings.rank and name in linear
        leaves = start_factors(name, start, settings.rank) if narrow else (start.clone(),)
        found.append(
            TrainedParameter(parameter, start, leaves, tuple(leaf.clone() for leaf in leaves))
        )
    return found


@torch.no_grad()
def write_weights(everything: Sequence[TrainedParameter], *, means: bool = False) -> None:
    """Set the parameters to the last trained values, or to their means."""
    for learned in everything:
        values = learned.means if means else learned.leaves
        whole = with_factors(learned.start, *values) if len(values) > 1 else values[0]
        learned.parameter.copy_(whole)


@torch.no_grad()
def update_means(everything: Sequence[TrainedParameter], decay: float) -> None:
    """Update the means of the leaves, which keep a share of `decay`."""
    for learned in everything:
        for mean, leaf in zip(learned.means, learned.leaves, strict=True):
            mean.lerp_(leaf, 1 - decay)


def assign_gradients(everything: Sequence[TrainedParameter], gradients: Sequence[Tensor]) -> None:
    """Set the gradients of all leaves, given those of the parameters, each of any shape."""
    for learned, gradient in zip(everything, gradients, strict=True):
        leaves = learned.leaves
        own = factor_gradients(gradient, *leaves) if len(leaves) > 1 else (gradient,)
        for leaf, part in zip(leaves, own, strict=True):
            leaf.grad = part


@contextmanager
def trainable_only(model: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Require gradients of these parameters alone inside the block."""
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_()
    try:
        yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)
