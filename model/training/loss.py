"""Computes the loss and its gradient without ever holding the logits of all positions.

A batch of 8 × 512 positions over 16,512 ids would need 270 MB for the logits and twice that for
their gradients. Here a slice of positions goes through the output layer, the loss and back before
the next one does; the result is the same and, memory being slow, comes sooner.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ..assembly import Model
from ..blocks import IGNORED, AheadHeads, ahead_targets, softcap

ROWS_ON_CPU = 256
ROWS_ON_CUDA = 8192


def backward_of_loss(
    model: Model,
    normed: Tensor,
    targets: Tensor,
    count: int,
    mask: Tensor | None = None,
    ahead: AheadHeads | None = None,
    ahead_weight: float = 0.0,
) -> Tensor:
    """Add the gradient of (sum of cross-entropies) / `count` to every parameter's gradient.

    Args:
        model: its output layer is used.
        normed: [B, T, D], from `model.trunk`; its graph is consumed.
        targets: ids [B, T], int64.
        count: what to divide by: the targets of the whole step, those outside the mask left out.
        mask: bool [B, T], the targets that count; None: all.
        ahead: heads that predict what comes after the targets.
        ahead_weight: weight of the mean of these heads' losses, which the gradient has too.

    Returns:
        The sum of the cross-entropies of the targets, in nats, float64, a scalar on the device of
        `normed`.
    """
    rows = ROWS_ON_CUDA if normed.is_cuda else ROWS_ON_CPU
    heads = len(ahead.heads) if ahead is not None else 0
    wanted = torch.stack([targets, *ahead_targets(targets, heads, mask)], dim=-1).flatten(0, 1)
    normed = normed.flatten(0, 1)
    if mask is not None:
        # The output layer, the larger part of a small model, sees only what counts.
        chosen = mask.flatten()
        normed, wanted = normed[chosen], wanted[chosen]
    slices = [piece.requires_grad_() for piece in torch.split(normed.detach(), rows)]
    nats = torch.zeros((), dtype=torch.float64, device=normed.device)
    for piece, next_ids in zip(slices, torch.split(wanted, rows), strict=True):
        loss = functional.cross_entropy(model.logits(piece), next_ids[:, 0], reduction="sum")
        nats += loss.detach()
        if ahead is not None:
            cap = model.config.logit_softcap
            for logits, further in zip(ahead(piece), next_ids.T[1:], strict=True):
                share = functional.cross_entropy(
                    softcap(logits, cap), further, reduction="sum", ignore_index=IGNORED
                )
                loss = loss + ahead_weight / heads * share
        (loss / count).backward()  # type: ignore[no-untyped-call]
    gradients = [piece.grad for piece in slices if piece.grad is not None]
    normed.backward(torch.cat(gradients))  # type: ignore[no-untyped-call]
    return nats
