"""Activation checkpointing: the backward pass recomputes the activations of each layer.

Chen et al. 2016 (arXiv:1604.06174). Only the input of each layer is stored, and one layer's
activations at a time.
"""

from functools import partial

from torch.utils.checkpoint import checkpoint

from ..families.language_model import LanguageModel


def checkpoint_activations(model: LanguageModel) -> None:
    """Checkpoint the activations of every decoder layer; the names of weights stay the same."""
    for layer in model.layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
