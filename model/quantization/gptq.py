"""GPTQ: rounds a matrix by columns; later columns compensate the errors of earlier ones.

Frantar et al. 2022 (arXiv:2210.17323). U is the inverse Hessian's upper Cholesky factor,
H⁻¹ = UᵀU. The error of column j over U_jj, times row j of U, is subtracted from the columns not
yet rounded. Columns with the largest inputs come first, when most others are left to compensate.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .quantized_matrix import largest_code

DAMPING = 0.01
BLOCK = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Order in which columns are rounded, and the factor that spreads their errors."""

    order: Tensor
    """[columns], the largest diagonal of the Hessian first."""
    factor: Tensor
    """Upper triangular U [columns, columns] of columns in that order."""

    def importance(self) -> Tensor:
        """Return the cost of an error in each column when all later ones compensate for it.

        That is 1 / U_jj², [columns] in the matrix's own order.
        """
        return torch.empty_like(self.factor[0]).index_copy_(
            0, self.order, self.factor.diagonal().square().reciprocal()
        )

    def whiten(self, error: Tensor) -> Tensor:
        """Return errors [rows, columns] times a root of the Hessian; their squares are the cost."""
        # R with H = R Rᵀ is the inverse of U: X R is the solution Y of Y U = X.
        whitened: Tensor = torch.linalg.solve_triangular(
            self.factor, error[:, self.order], upper=True, left=False
        )
        return whitened

    def unwhiten(self, whitened: Tensor) -> Tensor:
        """Return the errors of whitened ones [rows, columns]; the inverse of `whiten`."""
        return torch.empty_like(whitened).index_copy_(1, self.order, whitened @ self.factor)


def prepare_hessian(hessian: Tensor) -> Columns | None:
    """Return order and factor for a Hessian [columns, columns].

    A hundredth of its mean diagonal is added to the diagonal, then ten times as much until the sum
    can be inverted, in the type of `hessian` or else in float64. None: the Hessian is zero or not
    finite.
    """
    diagonal = hessian.diagonal()
    mean = float(diagonal.mean())
    if not 0 < mean < torch.inf:
        return None
    order = diagonal.argsort(descending=True, stable=True)
    ordered = hessian[order][:, order]
    damping = DAMPING * mean
    while damping < 1e6 * mean:
        for precision in (hessian.dtype, torch.float64):
            factor = _inverse_factor(_with_diagonal(ordered.to(precision), damping))
            if factor is not None:
                return Columns(order=order, factor=factor.to(hessian.dtype))
        damping *= 10
    return None


def _with_diagonal(matrix: Tensor, more: float) -> Tensor:
    return matrix + torch.diag(torch.full_like(matrix[0], more))


def _inverse_factor(matrix: Tensor) -> Tensor | None:
    """Return upper U with (matrix)⁻¹ = UᵀU, or None where it has none.

    Backwards in rows and columns a Cholesky factor L gives matrix = R Rᵀ for an upper R, whose
    inverse is U: no inverse is made only to be factored.
    """
    lower, failed = torch.linalg.cholesky_ex(matrix.flip(0, 1))
    if failed:
        return None
    identity = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    factor = torch.linalg.solve_triangular(lower.flip(0, 1), identity, upper=True)
    return factor if bool(factor.isfinite().all()) else None


def gptq_codes(
    weight: Tensor, scales: Tensor, bits: int, columns: Columns, pruned: Tensor | None = None
) -> Tensor:
    """Return the GPTQ codes of a matrix.

    Args:
        weight: [rows, columns].
        scales: of the rows' grids, [rows].
        bits: of the codes.
        columns: of the Hessian.
        pruned: bool [rows, columns], where the code must be 0; None: nowhere.

    Returns:
        Integers in the type of `weight`, [rows, columns].
    """
    order, factor, top = columns.order, columns.factor, largest_code(bits)
    # [columns, rows], so that each column is contiguous.
    left = weight.T[order].contiguous()
    zero = None if pruned is None else pruned.T[order]
    codes = torch.empty_like(left)
    for start in range(0, len(left), BLOCK):
        end = min(start + BLOCK, len(left))
        errors = torch.empty_like(left[start:end])
        for column in range(start, end):
            code = (left[column] / scales).round_().clamp_(-top, top)
            if zero is not None:
                code.masked_fill_(zero[column], 0.0)
            codes[column] = code
            error = (left[column] - code * scales) / factor[column, column]
            errors[column - start] = error
            left[column + 1 : end].addr_(factor[column, column + 1 : end], error, alpha=-1)
        left[end:].addmm_(factor[start:end, end:].T, errors, alpha=-1)
    return torch.empty_like(codes).index_copy_(0, order, codes).T.contiguous()


def weighted_errors(error: Tensor, hessian: Tensor | None) -> Tensor:
    """Return e H eᵀ for each row e of [rows, columns], float64 [rows]; None: H is the identity."""
    precise = error.double()
    weighted = precise if hessian is None else precise @ hessian.double()
    return (weighted * precise).sum(dim=1)
