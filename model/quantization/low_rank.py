"""Low-rank correction of rounding errors: a product of two thin int4 matrices.

The singular value decomposition gives the best product of a rank, here for the error times a root
of the Hessian (CALDERA, Saha et al. 2024, arXiv:2405.18886).
"""

import torch
from torch import Tensor

from .gptq import Columns
from .quantized_matrix import LowRank, QuantizedMatrix
from .quantizer import quantize_codes, search_scales

BITS = 4


def low_rank_correction(residual: Tensor, rank: int, columns: Columns | None = None) -> LowRank:
    """Return a low-rank product near `residual`.

    Rounding to four bits may make it worse than none; the caller checks that.

    Args:
        residual: the error to correct, [rows, columns].
        rank: of the product; at most the smaller side of the matrix is used.
        columns: of the Hessian; None: errors in all columns count the same.
    """
    rank = min(rank, *residual.shape)
    whitened = residual if columns is None else columns.whiten(residual)
    directions = torch.linalg.eigh(whitened.T @ whitened).eigenvectors[:, -rank:]
    right = directions.T if columns is None else columns.unwhiten(directions.T)
    return LowRank(left=_four_bits((whitened @ directions).T), right=_four_bits(right))


def _four_bits(factor: Tensor) -> QuantizedMatrix:
    factor = factor.contiguous()
    scales = search_scales(factor, BITS)
    codes = quantize_codes(factor, scales, BITS)
    return QuantizedMatrix(
        codes=codes.to(torch.int8).cpu().numpy(), scales=scales.half().cpu().numpy(), bits=BITS
    )
