"""Training step: gradients of a batch in micro-batches, clipping, optimiser update."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice, repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from ..distributed import all_reduce_sum, rank, sum_gradients, world_size
from ..families.language_model import LOSS_NAMES, LanguageModel
from ..runs.metrics import Metrics
from .data import Batch
from .distillation import DISTILL_LOSSES, teacher_forward
from .ema_swa import update_averages
from .gradient_clipping import clip_gradients
from .loss import backward_loss
from .optimizers import scale_learning_rates, set_muon_momentum
from .qat import fake_quantized
from .state import RunState


def train_step(
    run: RunState,
    batch: Batch,
    lr_scale: float,
    *,
    backbone: Callable[[Tensor], Tensor],
    precision: AbstractContextManager[object],
) -> tuple[float, float, int, Metrics]:
    """Train the run by one step.

    Args:
        run: is updated.
        batch: ids [batch, context + 1], and their loss mask.
        lr_scale: share of the full learning rates.
        backbone: the model's `backbone`, perhaps compiled.
        precision: autocast context of the forward passes.

    Returns:
        The loss in nats per target before the update, the norm of the gradient before clipping,
        the number of targets by the mask, and the means of the auxiliary losses, by name. Without
        any target the loss is NaN, and only momentum and weight decay update the weights.

    Raises:
        SpikeError: the batch does not fit, or loss or gradient is not finite. No weight changes.
    """
    step = run.step + 1
    with fake_quantized(run, lr_scale):
        sums, count = compute_gradients(
            run, batch, lr_scale, backbone=backbone, precision=precision
        )
    norm = clip_gradients(run.parameters, run.config.train.grad_clip)
    loss = sums[0, 0].item() / count if count else math.nan
    if not ((math.isfinite(loss) or not count) and math.isfinite(norm)):
        raise SpikeError(
            f"{run.folder}: step {step}: loss {loss}, gradient norm {norm}; start a new "
            "run with lower learning rates (the last checkpoint is unchanged)"
        )
    scale_learning_rates(run.optimizers, lr_scale)
    set_muon_momentum(run.optimizers, step, run.config.optimizer)
    for optimizer in run.optimizers:
        optimizer.step()
    for parameter in run.parameters:
        parameter.grad = None
    update_averages(run.averages, run.model, step, lr_scale)
    note_targets(run, batch)
    run.step = step
    means = zip((*LOSS_NAMES, *DISTILL_LOSSES)[1:], sums[1:].tolist(), strict=True)
    return loss, norm, count, {name: total / number for name, (total, number) in means if number}


def compute_gradients(
    run: RunState,
    batch: Batch,
    lr_scale: float,
    *,
    backbone: Callable[[Tensor], Tensor],
    precision: AbstractContextManager[object],
) -> tuple[Tensor, int]:
    """Set every parameter's gradient over the whole batch, at the weights during this call.

    Args:
        run: with the model.
        batch: ids [batch, context + 1], and their loss mask.
        lr_scale: share of the full learning rates.
        backbone: the model's `backbone`, perhaps compiled.
        precision: autocast context of the forward passes.

    Returns:
        For each of LOSS_NAMES and DISTILL_LOSSES its sum and count, float64 [7, 2]; and the number
        of targets.
    """
    size = run.config.train.micro_batch_size
    ids, mask = checked_batch(run, batch)
    mask = scored_targets(run.model, ids, mask)
    run.model.train()
    run.model.set_progress(run.progress, lr_scale)
    count = ids[:, 1:].numel() if mask is None else int(mask[:, 1:].sum())
    sums = torch.zeros(
        len(LOSS_NAMES) + len(DISTILL_LOSSES), 2, dtype=torch.float64, device=ids.device
    )
    model_sums, distill_sums = sums.tensor_split([len(LOSS_NAMES)])
    masks = repeat(None) if mask is None else torch.split(mask[:, 1:], size)
    parts = zip(torch.split(ids, size), masks, strict=False)
    # Each rank computes every `world_size`-th micro-batch.
    for part, part_mask in islice(parts, rank(), None, world_size()):
        with precision:
            distillation = teacher_forward(run.distillation, part[:, :-1], distill_sums)
            model_sums += backward_loss(
                run.model,
                backbone(part[:, :-1]),
                part[:, 1:],
                max(count, 1),
                mask=part_mask,
                share=len(part) / len(ids),
                distillation=distillation,
            )
    run.model.eval()
    sum_gradients(run.parameters)
    all_reduce_sum([sums])
    return sums, count


def checked_batch(run: RunState, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return ids, int64 [batch, context + 1], and mask, bool, on the run's device, checked.

    Raises:
        SpikeError: a shape is another, or an id is out of range.
    """
    ids, mask = batch
    expected = (run.config.train.batch_size, run.config.model.context + 1)
    vocab_size = run.model.vocab_size
    for array in (ids,) if mask is None else (ids, mask):
        if array.shape != expected:
            raise SpikeError(
                f"step {run.step + 1}: a batch of shape {array.shape}; yield {expected}"
            )
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise SpikeError(
            f"step {run.step + 1}: an id outside 0 … {vocab_size - 1}; verify the data"
        )
    tokens = torch.from_numpy(ids.astype(np.int64)).to(run.device)
    return tokens, None if mask is None else torch.from_numpy(mask).to(run.device)


def scored_targets(model: LanguageModel, ids: Tensor, mask: Tensor | None) -> Tensor | None:
    """Return the mask [batch, context + 1] without the positions of memory tokens."""
    memory = model.num_memory_tokens
    if not memory:
        return mask
    scored = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.clone()
    scored[:, 1 : memory + 1] = False
    return scored


def note_targets(run: RunState, batch: Batch) -> None:
    """Add the targets of a batch to the run's trained ids, unless these are unknown."""
    if run.trained_ids is not None:
        run.trained_ids[target_ids(run.model, batch)] = True


def target_ids(model: LanguageModel, batch: Batch) -> NDArray[np.integer]:
    """Return the target ids [n] of a batch's loss, as `scored_targets` selects them."""
    ids, mask = batch
    begin = 1 + model.num_memory_tokens
    return ids[:, begin:].ravel() if mask is None else ids[:, begin:][mask[:, begin:]]
