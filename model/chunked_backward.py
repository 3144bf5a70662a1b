"""Chunked backward pass: gradients of a loss over rows, with logits of a few rows at a time.

Peak memory of the logits falls from O(T · V) to O(rows · V).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROWS_ON_CPU = 256
ROWS_ON_CUDA = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationTerm:
    """Distillation loss of one part of a batch."""

    row_data: list[Tensor]
    """Further data of each row, [B, T, …]."""
    loss_of: Callable[..., Tensor]
    """Maps rows [N, D], their logits [N, V] and their data [N, …] to a scalar, a sum."""


def chunked_backward(
    hidden_states: Tensor,
    row_data: Sequence[Tensor],
    mask: Tensor | None,
    loss_of: Callable[..., Tensor],
    further_loss: Tensor | None = None,
) -> None:
    """Add the gradient of a sum over rows to every parameter's gradient, some rows at a time.

    Args:
        hidden_states: [B, T, D]; its graph is consumed.
        row_data: further data of each row, [B, T, …].
        mask: bool [B, T], the rows that count; None: all.
        loss_of: maps rows [N, D] and their data [N, …] to a scalar.
        further_loss: a scalar of the same graph, which is added to the loss.
    """
    rows = ROWS_ON_CUDA if hidden_states.is_cuda else ROWS_ON_CPU
    hidden, *others = (tensor.flatten(0, 1) for tensor in (hidden_states, *row_data))  # [B · T, …]
    if mask is not None:
        # The output layer, the larger part of a small model, reads only the rows that count.
        counted = mask.flatten()
        hidden, *others = (tensor[counted] for tensor in (hidden, *others))
    chunks = [chunk.requires_grad_() for chunk in torch.split(hidden.detach(), rows)]
    for chunk, *data in zip(chunks, *(torch.split(o, rows) for o in others), strict=True):
        loss_of(chunk, *data).backward()  # type: ignore[no-untyped-call]
    gradient = torch.cat([chunk.grad for chunk in chunks if chunk.grad is not None])
    roots, gradients = (
        ([hidden], [gradient])
        if further_loss is None
        else ([hidden, further_loss], [gradient, None])
    )
    torch.autograd.backward(roots, gradients)
