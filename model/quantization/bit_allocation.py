"""Bit allocation: a quantization step per matrix, of the least total error for a size in bytes.

For every matrix some steps are tried on some of its rows: the error of rounding to the nearest, and
the entropy of the codes. Then a Lagrange multiplier decides (Shoham and Gersho 1988): a price of a
byte, the same for all matrices. Each takes the step with the smallest error + price · bytes, and
bisection finds the price at which the sum fits. With equal steps entropy coding loses nothing to
rows of unequal scale. So one step for a whole matrix is tried, too, besides steps in proportion to
each row's standard deviation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.quantization import Clip
from ..families.language_model import LanguageModel
from ..families.parameter_roles import quantizable_weights
from .gptq import prepare_hessian
from .plan import Precision
from .quantized_matrix import largest_code
from .quantizer import quantize_codes, row_scales

# Steps to try, in standard deviations.
STEPS = tuple(2.0 ** (quarter / 4) for quarter in range(-20, 7))
# Smallest extent, in deviations, of a grid that is tried.
NARROWEST = 1.5
SAMPLE = 1 << 16
SCALE_BYTES = 2


@dataclass(frozen=True, slots=True)
class RateDistortion:
    """Rate and distortion of one quantization step of a matrix."""

    precision: Precision
    size: float
    """Estimated bytes."""
    error: float
    """Estimated square error of the layer's output, summed over its rows."""


@torch.no_grad()
def rate_distortion_candidates(
    model: LanguageModel, plan: Mapping[str, Precision], hessians: Mapping[str, Tensor] | None
) -> dict[str, list[RateDistortion]]:
    """Return the candidates of each matrix that is quantized to integers, by name.

    Args:
        model: with the matrices.
        plan: with the bits, which bound the codes.
        hessians: of `gather_hessians`, [columns, columns] each, which weight the errors. Without
            one, all columns have weight 1, and those of tables 1 / rows.
    """
    matrices = quantizable_weights(model)
    return {
        name: _candidates(
            matrices[name].detach(),
            precision.bits,
            (hessians or {}).get(name),
            looked_up=name.endswith("table.weight"),
        )
        for name, precision in plan.items()
        if precision.is_integer
    }


def allocate_bits(
    candidates: Mapping[str, Sequence[RateDistortion]], size: float
) -> dict[str, Precision]:
    """Return the precision of each matrix, so that their estimated bytes are at most `size`.

    If even the coarsest steps need more, these are returned.
    """
    low, high = 1e-30, 1e30
    for _ in range(100):
        price = (low * high) ** 0.5
        if sum(one.size for one in _best_at(candidates, price).values()) > size:
            low = price
        else:
            high = price
    return {name: one.precision for name, one in _best_at(candidates, high).items()}


def _best_at(
    candidates: Mapping[str, Sequence[RateDistortion]], price: float
) -> dict[str, RateDistortion]:
    return {
        name: min(of_matrix, key=lambda one: one.error + price * one.size)
        for name, of_matrix in candidates.items()
    }


def _candidates(
    weight: Tensor, bits: int, hessian: Tensor | None, looked_up: bool
) -> list[RateDistortion]:
    columns = None if hessian is None else prepare_hessian(hessian)
    importance = torch.ones_like(weight[0]) if columns is None else columns.importance()
    if looked_up:
        importance = importance / len(weight)
    rows = weight[:: max(1, -(-weight.numel() // SAMPLE))]
    scale = weight.numel() / rows.numel()  # from the sampled rows to all
    deviation = float(rows.square().mean().sqrt())
    top, candidates = largest_code(bits), []
    for step in STEPS:
        clips = [Clip("std", step * top), Clip("size", step * top * deviation)]
        for clip in clips if step * top >= NARROWEST and deviation else []:
            scales = row_scales(rows, bits, clip)
            codes = quantize_codes(rows, scales, bits)
            errors = (codes * scales.unsqueeze(1) - rows).square() @ importance
            stored_scales = SCALE_BYTES * len(weight) if clip.kind == "std" else 0
            size, error = scale * _entropy_bytes(codes) + stored_scales, float(errors.sum())
            candidates.append(RateDistortion(Precision(bits, clip), size, scale * error))
    return candidates or [RateDistortion(Precision(bits, Clip("max")), 0.0, 0.0)]


def _entropy_bytes(codes: Tensor) -> float:
    counts = codes.to(torch.int64).flatten().add(128).bincount().double()
    counts = counts[counts > 0]
    return float(-(counts * (counts / codes.numel()).log2()).sum() / 8)
