"""Computes the loss and its gradient without ever holding the logits of all positions.

A batch of 8 × 512 positions over 16,512 ids would need 270 MB for the logits and twice that for
their gradients. Here a slice of positions goes through the output layer, the loss and back before
the next one does; the result is the same and, memory being slow, comes sooner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..families.build import Model
from ..layers.mtp import IGNORED, AheadHeads, ahead_targets
from ..layers.softcap import softcap

ROWS_ON_CPU = 256
ROWS_ON_CUDA = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What else there is to learn of the rows of one part of a batch."""

    beside: list[Tensor]
    """What is known of each row, [B, T, …]."""
    loss_of: Callable[..., Tensor]
    """Maps rows [N, D], their logits [N, V] and what is beside them [N, …] to a scalar, a sum."""


def backward_of_loss(
    model: Model,
    normed: Tensor,
    targets: Tensor,
    count: int,
    mask: Tensor | None = None,
    ahead: AheadHeads | None = None,
    ahead_weight: float = 0.0,
    lesson: Lesson | None = None,
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
        lesson: adds its sum to the gradient, too.

    Returns:
        The sum of the cross-entropies of the targets, in nats, float64, a scalar on the device of
        `normed`.
    """
    heads = len(ahead.heads) if ahead is not None else 0
    wanted = torch.stack([targets, *ahead_targets(targets, heads, mask)], dim=-1)
    nats = torch.zeros((), dtype=torch.float64, device=normed.device)

    def loss_of(rows: Tensor, next_ids: Tensor, *known: Tensor) -> Tensor:
        logits = model.logits(rows)
        loss = functional.cross_entropy(logits, next_ids[:, 0], reduction="sum")
        nats.add_(loss.detach())
        if ahead is not None:
            cap = model.config.logit_softcap
            for foreseen, further in zip(ahead(rows), next_ids.T[1:], strict=True):
                share = functional.cross_entropy(
                    softcap(foreseen, cap), further, reduction="sum", ignore_index=IGNORED
                )
                loss = loss + ahead_weight / heads * share
        if lesson is not None:
            loss = loss + lesson.loss_of(rows, logits, *known)
        return loss / count

    backward_in_slices(normed, [wanted, *(lesson.beside if lesson else [])], mask, loss_of)
    return nats


def backward_in_slices(
    normed: Tensor,
    beside: Sequence[Tensor],
    mask: Tensor | None,
    loss_of: Callable[..., Tensor],
    more: Tensor | None = None,
) -> None:
    """Add the gradient of a sum over rows to every parameter's gradient, some rows at a time.

    Args:
        normed: [B, T, D]; its graph is consumed.
        beside: what else there is to know of each row, [B, T, …].
        mask: bool [B, T], the rows that count; None: all.
        loss_of: maps rows [N, D] and what is beside them [N, …] to a scalar.
        more: a scalar of the same graph, to be added to the loss.
    """
    rows = ROWS_ON_CUDA if normed.is_cuda else ROWS_ON_CPU
    hidden, *others = (tensor.flatten(0, 1) for tensor in (normed, *beside))
    if mask is not None:
        # The output layer, the larger part of a small model, sees only what counts.
        chosen = mask.flatten()
        hidden, *others = (tensor[chosen] for tensor in (hidden, *others))
    slices = [piece.requires_grad_() for piece in torch.split(hidden.detach(), rows)]
    for piece, *known in zip(slices, *(torch.split(o, rows) for o in others), strict=True):
        loss_of(piece, *known).backward()  # type: ignore[no-untyped-call]
    gradient = torch.cat([piece.grad for piece in slices if piece.grad is not None])
    roots, gradients = (
        ([hidden], [gradient]) if more is None else ([hidden, more], [gradient, None])
    )
    torch.autograd.backward(roots, gradients)
