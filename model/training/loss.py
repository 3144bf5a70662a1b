"""Computes the loss and its gradient without ever holding the logits of all positions.

A batch of 8 × 512 positions over 16,512 ids would need 270 MB for the logits and twice that for
their gradients. Here a slice of positions goes through the output layer, the loss and back before
the next one does; the result is the same and, memory being slow, comes sooner.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ..transformer import Transformer

ROWS_ON_CPU = 256
ROWS_ON_CUDA = 8192


def backward_of_loss(
    model: Transformer, normed: Tensor, targets: Tensor, count: int, mask: Tensor | None = None
) -> Tensor:
    """Add the gradient of (sum of cross-entropies) / `count` to every parameter's gradient.

    Args:
        model: its output layer is used.
        normed: [B, T, D], from `model.trunk`; its graph is consumed.
        targets: ids [B, T], int64.
        count: what to divide by: the targets of the whole step, those outside the mask left out.
        mask: bool [B, T], the targets that count; None: all.

    Returns:
        The sum of the cross-entropies, in nats, float64, a scalar on the device of `normed`.
    """
    rows = ROWS_ON_CUDA if normed.is_cuda else ROWS_ON_CPU
    normed, targets = normed.flatten(0, 1), targets.flatten()
    if mask is not None:
        # The output layer, the larger part of a small model, sees only what counts.
        chosen = mask.flatten()
        normed, targets = normed[chosen], targets[chosen]
    slices = [piece.requires_grad_() for piece in torch.split(normed.detach(), rows)]
    nats = torch.zeros((), dtype=torch.float64, device=normed.device)
    for piece, wanted in zip(slices, torch.split(targets, rows), strict=True):
        loss = functional.cross_entropy(model.logits(piece), wanted, reduction="sum")
        (loss / count).backward()  # type: ignore[no-untyped-call]
        nats += loss.detach()
    gradients = [piece.grad for piece in slices if piece.grad is not None]
    normed.backward(torch.cat(gradients))  # type: ignore[no-untyped-call]
    return nats
