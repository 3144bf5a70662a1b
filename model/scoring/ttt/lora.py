"""LoRA: a trained product of two low-rank factors that is added to a frozen matrix.

Hu et al. 2021 (arXiv:2106.09685) with a scale of 1: W + U D. Initially D [rank, in] is random and
U [out, rank] zero, so that the sum is W. The gradient G of the sum gives those of the factors, Uᵀ G
and G Dᵀ.
"""

import torch
from torch import Tensor

from ...families.initialization import per_parameter_generator


def start_factors(name: str, matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the initial D and U for a matrix [out, in]; `rank` is at most that of the matrix.

    D has a standard deviation of 1 / √in, and the seed follows from the name.
    """
    rows, columns = matrix.shape
    rank = min(rank, rows, columns)
    down = torch.empty(rank, columns).normal_(
        0.0, columns**-0.5, generator=per_parameter_generator(0, name)
    )
    return down.to(matrix), matrix.new_zeros(rows, rank)


def with_factors(matrix: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """Return the matrix [out, in] plus U [out, rank] · D [rank, in]."""
    return torch.addmm(matrix, up, down)


def factor_gradients(gradient: Tensor, down: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of D [rank, in] and U [out, rank], given that of the sum [out, in]."""
    return up.T @ gradient, gradient @ down.T
