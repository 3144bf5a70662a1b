"""Activation checkpointing: the backward pass computes blocks again instead of storing them.

Chen et al. 2016 (arXiv:1604.06174). What is kept is what each
block reads, and one block's work at a time.
"""

from functools import partial

from torch.utils.checkpoint import checkpoint

from ..families.build import Model


def checkpoint_activations(model: Model) -> None:
    """Let every block of the model be computed again; weights and their names stay."""
    for block in model.blocks:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
