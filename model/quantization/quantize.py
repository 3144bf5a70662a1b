"""Quantization of a model by a plan: RTN or GPTQ, pruning, corrections; and its loading."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from spiketok.errors import SpikeError

from ..config.quantization import Clip
from ..families.language_model import LanguageModel
from ..families.parameter_roles import exported_state, quantizable_weights
from .gptq import Columns, gptq_codes, prepare_hessian, weighted_errors
from .low_rank import low_rank_correction
from .plan import FLOAT_BITS, Precision
from .pruning import smallest_weights
from .quantized_matrix import LowRank, QuantizedMatrix
from .quantizer import MAX_SCALE, quantize_codes, row_scales, search_scales


@torch.no_grad()
def quantize_model(
    model: LanguageModel,
    plan: Mapping[str, Precision],
    hessians: Mapping[str, Tensor] | None = None,
    *,
    sparsity: float = 0.0,
    correction_rank: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, QuantizedMatrix | Tensor]:
    """Return the quantized weights for export, by their names in the state dict.

    Args:
        model: is not changed.
        plan: the precision of each of its matrices.
        hessians: of `gather_hessians`, [columns, columns] each. Matrices with one are rounded by
            GPTQ, all others to the nearest. None: no matrix has one.
        sparsity: share of the weights of each integer matrix that become zero.
        correction_rank: rank of the correction of each integer matrix; 0 for none.
        report: called with each name after its quantization.

    Returns:
        Integer matrices, tensors of float16 where planned, all others unchanged, on the CPU.

    Raises:
        SpikeError: the plan lacks a matrix, or names an unknown one.
    """
    for name in sorted(plan.keys() ^ quantizable_weights(model).keys()):
        fault = "no matrix of this model" if name in plan else "without a precision"
        raise SpikeError(f"the plan: {name}: {fault}; make the plan for this model")
    quantized: dict[str, QuantizedMatrix | Tensor] = {}
    for name, tensor in exported_state(model).items():
        precision = plan.get(name, Precision(32))
        if precision.is_integer:
            hessian = (hessians or {}).get(name)
            quantized[name] = quantize_matrix(
                tensor, precision, hessian, sparsity=sparsity, correction_rank=correction_rank
            )
        elif precision.bits == FLOAT_BITS:
            quantized[name] = tensor.clamp(-MAX_SCALE, MAX_SCALE).half().cpu()
        else:
            quantized[name] = tensor.detach().clone().cpu()
        report(name)
    return quantized


@torch.no_grad()
def quantize_matrix(
    weight: Tensor,
    precision: Precision,
    hessian: Tensor | None = None,
    *,
    sparsity: float = 0.0,
    correction_rank: int = 0,
) -> QuantizedMatrix:
    """Quantize a matrix to integers, by GPTQ with a Hessian, to the nearest without.

    Rows for which rounding to the nearest has a smaller error than GPTQ use that.

    Args:
        weight: [rows, columns].
        precision: bits and clip.
        hessian: [columns, columns]; None: unknown.
        sparsity: share of the weights that become zero.
        correction_rank: rank of the correction; 0 for none.
    """
    bits, clip = precision.bits, precision.clip
    columns = None if hessian is None else prepare_hessian(hessian)
    if columns is None:
        hessian = None
    if clip is None and columns is not None:
        scales = search_scales(weight, bits, columns.importance())
    else:
        # Without a Hessian a search would clip weights of the columns with the largest inputs.
        scales = row_scales(weight, bits, clip or Clip("max"))
    pruned = smallest_weights(weight, sparsity)
    codes = quantize_codes(weight, scales, bits)
    if pruned is not None:
        codes.masked_fill_(pruned, 0.0)
    if columns is not None:
        gptq = gptq_codes(weight, scales, bits, columns, pruned)
        nearest_errors, gptq_errors = (
            weighted_errors(weight - tried * scales.unsqueeze(1), hessian)
            for tried in (codes, gptq)
        )
        codes = torch.where((gptq_errors < nearest_errors).unsqueeze(1), gptq, codes)
    correction = None
    if correction_rank:
        residual = weight - codes * scales.unsqueeze(1)
        correction = _correction(residual, correction_rank, hessian, columns)
    return QuantizedMatrix(
        codes=codes.to(torch.int8).cpu().numpy(),
        scales=scales.half().cpu().numpy(),
        bits=bits,
        correction=correction,
    )


def _correction(
    residual: Tensor, rank: int, hessian: Tensor | None, columns: Columns | None
) -> LowRank | None:
    """Return the low-rank correction of a matrix, if it lowers the error."""
    correction = low_rank_correction(residual, rank, columns)
    rest = residual - torch.from_numpy(correction.dequantize()).to(residual.device)
    before, after = (weighted_errors(error, hessian).sum() for error in (residual, rest))
    return correction if after < before else None


@torch.no_grad()
def put_quantized(model: LanguageModel, weights: Mapping[str, QuantizedMatrix | Tensor]) -> None:
    """Load the result of `quantize_model`, tensors of any shape, into a model of those shapes.

    Modules for training only are not changed.

    Raises:
        SpikeError: a name or shape differs from the model's; nothing has changed.
    """
    state = exported_state(model)
    for name in sorted(state.keys() | weights.keys()):
        ours = tuple(state[name].shape) if name in state else None
        theirs = tuple(weights[name].shape) if name in weights else None
        if ours != theirs:
            raise SpikeError(
                f"{name}: shape {theirs}, in the model {ours}; use the model's configuration"
            )
    for name, value in weights.items():
        state[name].copy_(
            torch.from_numpy(value.dequantize()) if isinstance(value, QuantizedMatrix) else value
        )
