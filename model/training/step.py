"""Does one optimiser step: gradients of a batch in parts, clipping, update."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from .loss import backward_of_loss
from .optimizers import scale_learning_rates
from .run_state import RunState

Batch = NDArray[np.integer]


def take_step(
    run: RunState,
    batch: Batch,
    factor: float,
    *,
    trunk: Callable[[Tensor], Tensor],
    precision: AbstractContextManager[object],
) -> tuple[float, float]:
    """Move the run on by one step.

    Args:
        run: is changed.
        batch: ids [batch, context + 1].
        factor: share of the full learning rates.
        trunk: the model's `trunk`, perhaps compiled.
        precision: the context of the forward passes.

    Returns:
        The loss in nats per token before the update, and the norm of the gradient before clipping.

    Raises:
        SpikeError: the batch does not fit, or loss or gradient is not finite; no weight has moved.
    """
    step, train = run.step + 1, run.config.train
    ids = checked_batch(run, batch)
    count = ids.shape[0] * (ids.shape[1] - 1)
    nats = torch.zeros((), dtype=torch.float64, device=ids.device)
    for part in torch.split(ids, train.micro_batch):
        with precision:
            nats += backward_of_loss(run.model, trunk(part[:, :-1]), part[:, 1:], count)
    limit = train.clip or math.inf
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), limit).item()
    loss = nats.item() / count
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise SpikeError(
            f"{run.folder}: step {step}: loss {loss}, gradient norm {norm}; start a new "
            "run with lower learning rates, the last checkpoint stays as it is"
        )
    scale_learning_rates(run.optimizers, factor)
    for optimizer in run.optimizers:
        optimizer.step()
    run.model.zero_grad(set_to_none=True)
    run.step = step
    return loss, norm


def checked_batch(run: RunState, batch: Batch) -> Tensor:
    """Return the batch as int64 on the run's device, after checking its shape and its ids."""
    expected = (run.config.train.batch, run.config.model.context + 1)
    vocab_size = run.model.embedding.num_embeddings
    if batch.shape != expected:
        raise SpikeError(f"step {run.step + 1}: a batch of shape {batch.shape}, not {expected}")
    if batch.min() < 0 or batch.max() >= vocab_size:
        raise SpikeError(
            f"step {run.step + 1}: an id outside 0 … {vocab_size - 1}; verify the data"
        )
    return torch.from_numpy(batch.astype(np.int64)).to(run.device)
