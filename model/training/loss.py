"""Cross-entropy and its gradient, without the logits of all positions in memory.

A batch of 8 × 512 positions over 16,512 ids would need 270 MB for the logits and twice that for
their gradients. Here a slice of positions goes through the output layer, the loss and back before
the next one does; the result is the same and, memory being slow, faster.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ..chunked_backward import DistillationTerm, chunked_backward
from ..families.build import Model
from ..layers.mtp import IGNORE_INDEX, MTPHeads, mtp_targets
from ..layers.softcap import softcap


def backward_cross_entropy(
    model: Model,
    hidden_states: Tensor,
    targets: Tensor,
    count: int,
    mask: Tensor | None = None,
    ahead: MTPHeads | None = None,
    mtp_loss_weight: float = 0.0,
    lesson: DistillationTerm | None = None,
) -> Tensor:
    """Add the gradient of (sum of cross-entropies) / `count` to every parameter's gradient.

    Args:
        model: its output layer is used.
        hidden_states: [B, T, D], from `model.backbone`; its graph is consumed.
        targets: ids [B, T], int64.
        count: the divisor: the targets of the whole step, those outside the mask left out.
        mask: bool [B, T], the targets that count; None: all.
        ahead: heads that predict the tokens after the targets.
        mtp_loss_weight: weight of the mean of these heads' losses, which the gradient has too.
        lesson: adds its sum to the gradient, too.

    Returns:
        The sum of the cross-entropies of the targets, in nats, float64, a scalar on the device of
        `hidden_states`.
    """
    heads = len(ahead.heads) if ahead is not None else 0
    wanted = torch.stack([targets, *mtp_targets(targets, heads, mask)], dim=-1)
    nats = torch.zeros((), dtype=torch.float64, device=hidden_states.device)

    def loss_of(rows: Tensor, next_ids: Tensor, *known: Tensor) -> Tensor:
        logits = model.logits(rows)
        loss = functional.cross_entropy(logits, next_ids[:, 0], reduction="sum")
        nats.add_(loss.detach())
        if ahead is not None:
            cap = model.config.logit_softcap
            for foreseen, further in zip(ahead(rows), next_ids.T[1:], strict=True):
                share = functional.cross_entropy(
                    softcap(foreseen, cap), further, reduction="sum", ignore_index=IGNORE_INDEX
                )
                loss = loss + mtp_loss_weight / heads * share
        if lesson is not None:
            loss = loss + lesson.loss_of(rows, logits, *known)
        return loss / count

    chunked_backward(hidden_states, [wanted, *(lesson.beside if lesson else [])], mask, loss_of)
    return nats
