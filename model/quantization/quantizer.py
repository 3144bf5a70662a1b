"""Round to nearest (RTN): symmetric integer quantization with a scale per row.

A row's grid is scale · code for codes up to the largest one. Scales are rounded to float16 first,
so that training, search and storage use one grid. The records' floor of the scale (1/31 or 1/15)
suits matrices with large weights only; here it is the smallest number of float16.
"""

import torch
from torch import Tensor

from ..config.quantization import Clip
from .quantized_matrix import largest_code

SMALLEST_SCALE, MAX_SCALE = 2.0**-24, 65504.0
# Shares of a row's largest magnitude that the search of a clip tries.
SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4)


def row_scales(weight: Tensor, bits: int, clip: Clip) -> Tensor:
    """Return the scale of each row of [rows, columns], all of them numbers of float16.

    Returns:
        [rows], of the type of `weight`.
    """
    return to_fp16_scales(clip_values(weight, clip) / largest_code(bits))


def to_fp16_scales(steps: Tensor) -> Tensor:
    """Return steps, of any shape, rounded to float16 and clamped to its positive numbers."""
    return steps.clamp(SMALLEST_SCALE, MAX_SCALE).half().to(steps.dtype)


def clip_values(weight: Tensor, clip: Clip) -> Tensor:
    """Return the largest magnitude [rows] that the grid of each row of [rows, columns] covers."""
    if clip.kind == "std":
        return clip.value * weight.std(dim=1, correction=0)
    if clip.kind == "size":
        return torch.full_like(weight[:, 0], clip.value)
    if clip.kind == "max":
        return weight.abs().amax(dim=1)
    return _row_percentile(weight.abs(), clip.value)


def quantize_codes(weight: Tensor, scales: Tensor, bits: int) -> Tensor:
    """Return the nearest codes of [rows, columns] with scales [rows], in the type of `weight`."""
    top = largest_code(bits)
    return (weight / scales.unsqueeze(1)).round_().clamp_(-top, top)


def rounded(weight: Tensor, scales: Tensor, bits: int) -> Tensor:
    """Return the weights [rows, columns] rounded to the grids of scales [rows]."""
    return quantize_codes(weight, scales, bits).mul_(scales.unsqueeze(1))


def search_scales(weight: Tensor, bits: int, column_weights: Tensor | None = None) -> Tensor:
    """Return for each row the scale with the smallest sum of squared rounding errors.

    Args:
        weight: [rows, columns].
        bits: of the codes.
        column_weights: weights of the errors in each column, [columns]; None: all equal.
    """
    best = torch.full_like(weight[:, 0], torch.inf)
    scales = torch.ones_like(best)
    largest = weight.abs().amax(dim=1) / largest_code(bits)
    for share in SHARES:
        tried = to_fp16_scales(largest * share)
        errors = (rounded(weight, tried, bits) - weight).square_()
        error = errors.sum(dim=1) if column_weights is None else errors @ column_weights
        scales = torch.where(error < best, tried, scales)
        best = torch.minimum(error, best)
    return scales


def _row_percentile(magnitudes: Tensor, percent: float) -> Tensor:
    """Return the percentile [rows] of each row of [rows, columns], as torch.quantile does.

    That function sorts all numbers and accepts no more than 2^24.
    """
    last = magnitudes.shape[1] - 1
    rank = percent / 100 * last
    below = int(rank)
    largest = magnitudes.topk(last - below + 1, dim=1).values
    above = largest[:, max(0, last - below - 1)]
    return torch.lerp(largest[:, last - below], above, rank - below)
