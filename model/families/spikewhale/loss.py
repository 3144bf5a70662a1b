"""SpikeWhaleLM training loss: cross-entropy, MTP, JEPA, z-loss and load balancing.

All weights are per target of the next token. A step's loss is the sum of all parts over its rows,
divided by the number of these targets, so that parts of a batch add up.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ...chunked_backward import DistillationTerm, chunked_backward
from ...layers.jepa import cosine_distance
from ...layers.mtp import IGNORE_INDEX, mtp_targets
from .model import SpikeWhale

# Reported apart: nats of the next token and of tokens further ahead (MTP), 1 − cosine of later
# hidden rows (JEPA), the square of the logits' log-sum-exp, unevenness of experts.
PARTS = ("loss", "mtp_loss", "jepa_loss", "z_loss", "aux_loss")
NEXT, MTP, JEPA, Z, AUX = range(len(PARTS))


def backward_spikewhale_loss(
    model: SpikeWhale,
    hidden_states: Tensor,
    targets: Tensor,
    count: int,
    mask: Tensor | None = None,
    share: float = 1.0,
    lesson: DistillationTerm | None = None,
) -> Tensor:
    """Add the gradient of the weighted parts, each a sum / `count`, to every parameter's gradient.

    Args:
        model: has just mapped the ids before the targets to `hidden_states`.
        hidden_states: [B, T, D]; its graph is consumed.
        targets: ids [B, T], int64.
        count: the divisor: the targets of the whole step, those outside the mask left out.
        mask: bool [B, T], the targets that count, for all parts; None: all.
        share: of these sequences in the step's.
        lesson: adds its sum to the gradient, too.

    Returns:
        For each of PARTS its unweighted sum and its count, float64 [5, 2].
    """
    whale, device = model.whale, hidden_states.device
    further = further_targets(model, targets, mask)
    later = hidden_states.detach().flatten(0, 1)
    places = torch.arange(len(later), device=device).view(targets.shape)
    sums = torch.zeros(len(PARTS), 2, dtype=torch.float64, device=device)

    def add(part: int, values: Tensor) -> Tensor:
        total = values.sum()
        sums[part, 0] += total.detach()
        sums[part, 1] += values.numel()
        return total

    def loss_of(rows: Tensor, ids: Tensor, places: Tensor, *known: Tensor) -> Tensor:
        logits = _precise(model.logits(rows))
        size = logits.logsumexp(dim=-1)
        loss = add(NEXT, size - logits.gather(1, ids[:, :1]).squeeze(1))
        if whale.zloss_coef:
            loss = loss + whale.zloss_coef * add(Z, size.square())
        if model.ahead is not None:
            for state, wanted in zip(model.ahead(rows), ids.T[1:], strict=False):
                counted = wanted != IGNORE_INDEX
                nats = functional.cross_entropy(
                    _precise(model.logits(state[counted])), wanted[counted], reduction="none"
                )
                loss = loss + whale.mtp_loss_weight / whale.mtp_num_heads * add(MTP, nats)
        if model.latent is not None:
            for distance in range(1, whale.jepa_horizon + 1):
                # The row of the token `distance` later; its own target does not matter.
                there = (ids[:, distance - 1] != IGNORE_INDEX) & (
                    places % targets.shape[1] + distance < targets.shape[1]
                )
                expected = model.latent(rows[there], distance)
                distances = cosine_distance(expected, later[places[there] + distance])
                loss = loss + whale.jepa_loss_weight / whale.jepa_horizon * add(JEPA, distances)
        if lesson is not None:
            loss = loss + lesson.loss_of(rows, logits, *known)
        return loss / count

    uneven = [e.balance for e in model.experts() if e.balance is not None]
    more = None
    if uneven:
        balance = torch.stack(uneven).sum()
        more = share * whale.moe_aux_loss_coef * balance
        sums[AUX, 0] += balance.detach() * len(later)
        sums[AUX, 1] += len(later)
    beside = [further, places, *(lesson.beside if lesson else [])]
    chunked_backward(hidden_states, beside, mask, loss_of, more)
    return sums


def further_targets(model: SpikeWhale, targets: Tensor, mask: Tensor | None) -> Tensor:
    """Return the ids 1, 2, … tokens later, [B, T, at least 1], IGNORED where they do not count.

    Ids outside the mask do not count, nor, except the first, those after a separator: with document
    masks the next document cannot be predicted.
    """
    whale = model.whale
    most = max(whale.mtp_num_heads, whale.jepa_horizon - 1)
    further = mtp_targets(targets, most, mask)
    if model.eos_id is not None:
        behind = torch.zeros_like(targets, dtype=torch.bool)
        ended = targets == model.eos_id
        for ahead, ids in enumerate(further):
            behind = behind | functional.pad(ended[:, ahead:], (0, min(ahead, ended.shape[1])))
            ids.masked_fill_(behind, IGNORE_INDEX)
    return torch.stack([targets, *further], dim=-1)


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
