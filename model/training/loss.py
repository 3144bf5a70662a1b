"""Training loss and its gradient: cross-entropy of the next token and auxiliary losses, in chunks.

A batch of 8 × 512 positions over 16,512 ids would need 270 MB for the logits and twice that for
their gradients. Here output layer, loss and backward pass run for one chunk of positions at a time.
The result is the same, and faster, because memory is slow.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ..chunked_backward import DistillationTerm, chunked_backward
from ..families.language_model import LOSS_NAMES, LanguageModel, LossRows
from ..layers.mtp import mtp_targets


def backward_loss(
    model: LanguageModel,
    hidden_states: Tensor,
    targets: Tensor,
    count: int,
    *,
    mask: Tensor | None = None,
    share: float = 1.0,
    distillation: DistillationTerm | None = None,
) -> Tensor:
    """Add the gradient of the loss, a sum / `count`, to every parameter's gradient.

    All weights are per target of the next token. A step's loss is the sum of all losses over its
    positions, divided by the number of these targets, so that parts of a batch add up.

    Args:
        model: has just mapped the ids before the targets to `hidden_states`.
        hidden_states: [B, T, D], from `model.backbone`; its graph is consumed.
        targets: ids [B, T], int64.
        count: the divisor: number of targets of the whole step, by the mask.
        mask: bool [B, T], the targets that count, for all losses; None: all.
        share: these sequences' share of the step's.
        distillation: further loss of each row.

    Returns:
        For each of LOSS_NAMES its unweighted sum, in nats where it is a cross-entropy, and its
        count, float64 [5, 2].
    """
    device = hidden_states.device
    future = mtp_targets(targets, model.future_targets, mask)
    model.mask_future_targets(future, targets)
    all_targets = torch.stack([targets, *future], dim=-1)  # [B, T, 1 + F]
    all_hidden_states = hidden_states.detach()
    positions = torch.arange(targets.numel(), device=device).view(targets.shape)
    sums = torch.zeros(len(LOSS_NAMES), 2, dtype=torch.float64, device=device)

    def add(name: str, total: Tensor, number: int) -> None:
        row = LOSS_NAMES.index(name)
        sums[row, 0] += total.detach()
        sums[row, 1] += number

    def loss_of(hidden: Tensor, ids: Tensor, positions: Tensor, *data: Tensor) -> Tensor:
        logits = model.logits(hidden)  # [N, V]
        nats = functional.cross_entropy(logits, ids[:, 0], reduction="none")
        loss = nats.sum()
        add("loss", loss, len(ids))
        rows = LossRows(hidden, logits, nats, ids, positions, all_hidden_states)
        for name, weight, values in model.auxiliary_losses(rows):
            total = values.sum()
            add(name, total, values.numel())
            loss = loss + weight * total
        if distillation is not None:
            loss = loss + distillation.loss_of(hidden, logits, *data)
        return loss / count

    weighted_balance, balance = None, model.balance_loss()
    if balance is not None:
        weight, value = balance
        weighted_balance = share * weight * value
        add("aux_loss", value * targets.numel(), targets.numel())
    row_data = [all_targets, positions, *(distillation.row_data if distillation else [])]
    chunked_backward(hidden_states, row_data, mask, loss_of, weighted_balance)
    return sums
