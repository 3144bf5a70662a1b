"""Activation checkpointing: the backward pass computes blocks again instead of storing them.

Chen et al. 2016 (arXiv:1604.06174). Only the input of each block is stored, and one block's
activations at a time.
"""

from functools import partial

from torch.utils.checkpoint import checkpoint

from ..families.build import Model


def checkpoint_activations(model: Model) -> None:
    """Checkpoint the activations of every block; weights and their names stay."""
    for block in model.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
