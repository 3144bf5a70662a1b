"""Finds a small correction of what rounding changed: a product of two thin matrices of four bits.

Of all products of a rank the singular value decomposition gives the one that leaves least, here of
the error times a root of the Hessian (CALDERA, Saha et al. 2024, arXiv:2405.18886).
"""

import torch
from torch import Tensor

from .gptq import weighted_errors
from .grid import rounded_codes, searched_scales
from .quantized_matrix import LowRank, QuantizedMatrix

BITS = 4
DAMPING = 0.01


def low_rank_correction(missing: Tensor, rank: int, hessian: Tensor | None) -> LowRank | None:
    """Return a product near `missing`, or None where it leaves more than nothing would.

    Args:
        missing: what is to be added, [rows, columns].
        rank: of the product; at most the smaller side of the matrix is used.
        hessian: [columns, columns]; None: every column counts the same.
    """
    rank = min(rank, *missing.shape)
    left, right = _thin_factors(missing, rank, hessian)
    correction = LowRank(left=_four_bits(left.T), right=_four_bits(right))
    rest = missing - torch.from_numpy(correction.dequantize()).to(missing.device)
    before, after = (weighted_errors(error, hessian).sum() for error in (missing, rest))
    return correction if after < before else None


def _thin_factors(missing: Tensor, rank: int, hessian: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return [rows, rank] and [rank, columns], whose product leaves the least."""
    if hessian is None:
        hessian = torch.eye(missing.shape[1], device=missing.device)
    damping = DAMPING * float(hessian.diagonal().mean()) + torch.finfo(torch.float64).tiny
    damped = hessian.double() + damping * torch.eye(len(hessian), device=missing.device)
    root = torch.linalg.cholesky(damped)
    weighted = missing.double() @ root
    directions = torch.linalg.eigh(weighted.T @ weighted).eigenvectors[:, -rank:]
    right = torch.linalg.solve_triangular(root, directions.T, upper=False, left=False)
    return (weighted @ directions).to(missing.dtype), right.to(missing.dtype)


def _four_bits(factor: Tensor) -> QuantizedMatrix:
    factor = factor.contiguous()
    scales = searched_scales(factor, BITS)
    codes = rounded_codes(factor, scales, BITS)
    return QuantizedMatrix(
        codes=codes.to(torch.int8).cpu().numpy(), scales=scales.half().cpu().numpy(), bits=BITS
    )
