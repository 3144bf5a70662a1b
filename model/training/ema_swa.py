"""Weight averaging over the steps: EMA and SWA, which often predict better than the last weights.

EMA is an exponential moving average; it begins at the initial weights, without a correction. SWA is
the plain mean of snapshots late in training (Izmailov et al. 2018, arXiv:1803.05407). With
snapshots from the first step on it is Polyak averaging (Polyak and Juditsky 1992).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..config.schema import AveragingConfig
from ..families.parameter_roles import swapped_weights
from ..runs.checkpoint import KINDS, SNAPSHOTS


@dataclass(slots=True, kw_only=True)
class WeightAverages:
    """Weight averages by parameter, and the number of snapshots in the SWA."""

    config: AveragingConfig
    ema: dict[str, Tensor] = field(default_factory=dict)
    swa: dict[str, Tensor] = field(default_factory=dict)
    snapshots: int = 0


@torch.no_grad()
def init_averages(model: nn.Module, config: AveragingConfig | None) -> WeightAverages:
    """Return the averages before the first step."""
    averages = WeightAverages(config=config or AveragingConfig())
    if averages.config.ema_decay:
        averages.ema = {name: p.detach().clone() for name, p in model.named_parameters()}
    return averages


@torch.no_grad()
def update_averages(averages: WeightAverages, model: nn.Module, step: int, lr_scale: float) -> None:
    """Update the averages with the weights after a step.

    Args:
        averages: are updated.
        model: with the weights.
        step: number of the step, from 1.
        lr_scale: share of the full learning rates at this step.
    """
    config = averages.config
    if averages.ema and step % config.ema_every == 0:
        for name, parameter in model.named_parameters():
            averages.ema[name].lerp_(parameter, 1 - config.ema_decay)
    if config.swa_every and step % config.swa_every == 0 and lr_scale <= config.swa_start_lr_ratio:
        averages.snapshots += 1
        for name, parameter in model.named_parameters():
            mean = averages.swa.setdefault(name, torch.zeros_like(parameter))
            mean.lerp_(parameter, 1 / averages.snapshots)


@contextmanager
def averaged_weights(averages: WeightAverages, model: nn.Module) -> Iterator[None]:
    """Swap the weights for export into the model inside the block.

    Before the first snapshot of an SWA, these are the model's own.
    """
    use = averages.config.use
    means = getattr(averages, use) if use in KINDS else {}
    with swapped_weights(model, means):
        yield


def averages_to_tensors(averages: WeightAverages) -> dict[str, Tensor]:
    """Return the averages as `kind/parameter`, of the parameters' shapes; snapshots as a scalar."""
    tensors = {f"{k}/{name}": m for k in KINDS for name, m in getattr(averages, k).items()}
    if averages.snapshots:
        tensors[SNAPSHOTS] = torch.tensor(averages.snapshots)
    return tensors


def averages_from_tensors(
    averages: WeightAverages, tensors: Mapping[str, Tensor], device: str
) -> None:
    """Restore the averages from the result of `averages_to_tensors`, tensors of any shape."""
    for key, tensor in tensors.items():
        kind, _, name = key.partition("/")
        if kind == SNAPSHOTS:
            averages.snapshots = int(tensor)
        else:
            getattr(averages, kind)[name] = tensor.to(device)
