"""Activation checkpointing: the backward pass computes layers again instead of storing them.

Chen et al. 2016 (arXiv:1604.06174). Only the input of each block is stored, and one block's
activations at a time.
"""

from functools import partial

from torch.utils.checkpoint import checkpoint

from ..families.language_model import LanguageModel


def checkpoint_activations(model: LanguageModel) -> None:
    """Checkpoint the activations of every decoder layer; weights and their names stay."""
    for layer in model.layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
