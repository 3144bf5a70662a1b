"""Chunked backward pass: gradients of a loss over rows, a few rows of logits at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROWS_ON_CPU = 256
ROWS_ON_CUDA = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationTerm:
    """Distillation loss of the rows of one part of a batch."""

    beside: list[Tensor]
    """Data of each row, [B, T, …]."""
    loss_of: Callable[..., Tensor]
    """Map of rows [N, D], their logits [N, V] and their data [N, …] to a scalar, a sum."""


def chunked_backward(
    hidden_states: Tensor,
    beside: Sequence[Tensor],
    mask: Tensor | None,
    loss_of: Callable[..., Tensor],
    more: Tensor | None = None,
) -> None:
    """Add the gradient of a sum over rows to every parameter's gradient, some rows at a time.

    Args:
        hidden_states: [B, T, D]; its graph is consumed.
        beside: further data of each row, [B, T, …].
        mask: bool [B, T], the rows that count; None: all.
        loss_of: maps rows [N, D] and their data [N, …] to a scalar.
        more: a scalar of the same graph, to be added to the loss.
    """
    rows = ROWS_ON_CUDA if hidden_states.is_cuda else ROWS_ON_CPU
    hidden, *others = (tensor.flatten(0, 1) for tensor in (hidden_states, *beside))
    if mask is not None:
        # The output layer, the larger part of a small model, reads only the rows that count.
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
