"""Quantization-aware training (QAT): gradients at fake-quantized weights.

The gradients of a step are taken at the rounded weights and update the weights themselves, the
straight-through estimator (Bengio et al. 2013, arXiv:1308.3432). A penalty in proportion to the
rounding noise of the weights, CROWN-Q of openai/parameter-golf, can be added.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from ..config.quantization import QuantizeConfig, parse_qat
from ..families.language_model import LanguageModel
from ..families.parameter_roles import quantizable_weights, swapped_weights
from ..quantization.plan import Precision, quantization_plan
from ..quantization.quantizer import rounded, row_scales
from .state import RunState


@contextmanager
def fake_quantized(run: RunState, lr_scale: float) -> Iterator[None]:
    """Fake-quantize the model's matrices inside the block, if QAT has begun; then add the penalty.

    Whether it has begun depends on the next step, and on seconds if these measure the run.

    Args:
        run: its model computes its gradients inside the block.
        lr_scale: share of the full learning rates at the next step.
    """
    settings = run.config.quantize
    if settings is None or not has_begun(run, settings, lr_scale):
        yield
        return
    plan = {name: p for name, p in quantization_plan(run.model, settings).items() if p.is_integer}
    scales = scales_of(run.model, plan)
    weights = quantizable_weights(run.model)
    quantized = {
        name: rounded(weights[name].detach(), scales[name], plan[name].bits) for name in plan
    }
    with swapped_weights(run.model, quantized):
        yield
    if settings.crown_q:
        add_crown_q(run.model, scales, settings.crown_q)


def has_begun(run: RunState, settings: QuantizeConfig, lr_scale: float) -> bool:
    """Return whether the next step, with `lr_scale` of the full rates, is at rounded weights."""
    start, schedule = parse_qat(settings.qat), run.config.schedule
    if start is None:
        return False
    if start.kind == "progress":
        return run.progress >= start.value
    return lr_scale < start.value and run.progress >= schedule.warmup_fraction


@torch.no_grad()
def scales_of(model: LanguageModel, plan: Mapping[str, Precision]) -> dict[str, Tensor]:
    """Return the scales [rows] of each matrix of a plan that has a clip."""
    weights = quantizable_weights(model)
    return {
        name: row_scales(weights[name], precision.bits, precision.clip)
        for name, precision in plan.items()
        if precision.clip is not None
    }


@torch.no_grad()
def add_crown_q(model: LanguageModel, scales: Mapping[str, Tensor], weight: float) -> None:
    """Add the gradient of CROWN-Q, weight / 12 · Σ over matrices of mean(w²δ²).

    δ is the scale of a row, `scales` [rows] of each matrix. Rounding to a grid of step δ has a
    variance of δ² / 12. The scales get no gradient.
    """
    for name, matrix in quantizable_weights(model).items():
        if name in scales and matrix.grad is not None:
            steps = scales[name].square().unsqueeze(1)
            matrix.grad.addcmul_(matrix, steps, value=weight / 6 / matrix.numel())
