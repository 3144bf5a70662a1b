"""Bit allocation: the step of each matrix so that all fit a size with the least error.

Of every matrix some steps are tried on some of its rows: what rounding to the nearest leaves, and
the entropy of the codes. Then one price of a byte for all matrices decides (Lagrange; Shoham and
Gersho 1988): each takes the step with the smallest error + price · bytes, and the price is
searched for that makes the sum fit. At equal steps entropy coding loses nothing to rows of unequal
size. So a step for a whole matrix is tried beside one in proportion to each row's deviation.
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

# Steps in standard deviations.
STEPS = tuple(2.0 ** (quarter / 4) for quarter in range(-20, 7))
# Smallest extent, in deviations, of a grid that is tried.
NARROWEST = 1.5
SAMPLE = 1 << 16
SCALE_BYTES = 2


@dataclass(frozen=True, slots=True)
class RateDistortion:
    """Cost of one quantization step of a matrix."""

    precision: Precision
    size: float
    """Bytes, estimated."""
    error: float
    """Mean square error of the layer's output, as far as known."""


@torch.no_grad()
def rate_distortion_candidates(
    model: LanguageModel, plan: Mapping[str, Precision], hessians: Mapping[str, Tensor] | None
) -> dict[str, list[RateDistortion]]:
    """Return the trades of each matrix that is quantized to integers, by name.

    Args:
        model: whose matrices they are.
        plan: with the bits, which bound the codes.
        hessians: of `gather_hessians`, by which errors are weighed; matrices without one are
            weighed as if inputs were of size one, and tables by the mean row.
    """
    matrices = quantizable_weights(model)
    return {
        name: _trades(
            matrices[name].detach(),
            precision.bits,
            (hessians or {}).get(name),
            looked_up=name.endswith("table.weight"),
        )
        for name, precision in plan.items()
        if precision.is_integer
    }


def allocate_bits(
    trades: Mapping[str, Sequence[RateDistortion]], size: float
) -> dict[str, Precision]:
    """Return the precision of each matrix, so that their estimated bytes are at most `size`.

    Where even the coarsest steps need more, these are returned.
    """
    low, high = 1e-30, 1e30
    for _ in range(100):
        price = (low * high) ** 0.5
        if sum(trade.size for trade in _taken(trades, price).values()) > size:
            low = price
        else:
            high = price
    return {name: trade.precision for name, trade in _taken(trades, high).items()}


def _taken(
    trades: Mapping[str, Sequence[RateDistortion]], price: float
) -> dict[str, RateDistortion]:
    return {
        name: min(of_one, key=lambda trade: trade.error + price * trade.size)
        for name, of_one in trades.items()
    }


def _trades(
    weight: Tensor, bits: int, hessian: Tensor | None, looked_up: bool
) -> list[RateDistortion]:
    columns = None if hessian is None else prepare_hessian(hessian)
    importance = torch.ones_like(weight[0]) if columns is None else columns.importance()
    if looked_up:
        importance = importance / len(weight)
    rows = weight[:: max(1, -(-weight.numel() // SAMPLE))]
    whole = weight.numel() / rows.numel()
    deviation = float(rows.square().mean().sqrt())
    top, found = largest_code(bits), []
    for step in STEPS:
        clips = [Clip("std", step * top), Clip("size", step * top * deviation)]
        for clip in clips if step * top >= NARROWEST and deviation else []:
            scales = row_scales(rows, bits, clip)
            codes = quantize_codes(rows, scales, bits)
            errors = (codes * scales.unsqueeze(1) - rows).square() @ importance
            stored_scales = SCALE_BYTES * len(weight) if clip.kind == "std" else 0
            size = whole * _entropy_bytes(codes) + stored_scales
            found.append(RateDistortion(Precision(bits, clip), size, whole * float(errors.sum())))
    return found or [RateDistortion(Precision(bits, Clip("max")), 0.0, 0.0)]


def _entropy_bytes(codes: Tensor) -> float:
    counts = codes.to(torch.int64).flatten().add(128).bincount().double()
    counts = counts[counts > 0]
    return float(-(counts * (counts / codes.numel()).log2()).sum() / 8)
