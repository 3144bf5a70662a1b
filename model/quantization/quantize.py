"""Quantization of a model's matrices as planned, and loading of quantized weights."""

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
    """Return the quantized weights that the model needs after training, by `state_dict` name.

    Args:
        model: stays as it is.
        plan: the precision of each of its matrices.
        hessians: of `gather_hessians`; matrices that have one are rounded by GPTQ, all others to
            the nearest. None: no matrix has one.
        sparsity: share of the weights of each integer matrix that become zero.
        correction_rank: of the correction of each such matrix; 0 for none.
        report: called with each name once it is done.

    Returns:
        Integer matrices, tensors of float16 where planned, all else as it is, on the CPU.

    Raises:
        SpikeError: the plan misses a matrix, or names one that is not there.
    """
    for name in sorted(plan.keys() ^ quantizable_weights(model).keys()):
        wrong = "no matrix of this model" if name in plan else "without a precision"
        raise SpikeError(f"the plan: {name}: {wrong}")
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
    """Return a matrix [rows, columns], quantized to integers.

    GPTQ rounds with a Hessian [columns, columns], except rows for which rounding to the nearest
    number of the same grid leaves a smaller error.
    """
    bits, clip = precision.bits, precision.clip
    columns = None if hessian is None else prepare_hessian(hessian)
    if columns is None:
        hessian = None
    if clip is None and columns is not None:
        scales = search_scales(weight, bits, columns.importance())
    else:
        # Without inputs a search would cut off numbers in the columns that matter most.
        scales = row_scales(weight, bits, clip or Clip("max"))
    pruned = smallest_weights(weight, sparsity)
    codes = quantize_codes(weight, scales, bits)
    if pruned is not None:
        codes.masked_fill_(pruned, 0.0)
    if columns is not None:
        gptq = gptq_codes(weight, scales, bits, columns, pruned)
        nearest_errors, errors = (
            weighted_errors(weight - tried * scales.unsqueeze(1), hessian)
            for tried in (codes, gptq)
        )
        codes = torch.where((errors < nearest_errors).unsqueeze(1), gptq, codes)
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
    found = low_rank_correction(residual, rank, columns)
    rest = residual - torch.from_numpy(found.dequantize()).to(residual.device)
    before, after = (weighted_errors(error, hessian).sum() for error in (residual, rest))
    return found if after < before else None


@torch.no_grad()
def put_quantized(model: LanguageModel, weights: Mapping[str, QuantizedMatrix | Tensor]) -> None:
    """Load the result of `quantize_model` into a model of that shape; trained-only tensors stay.

    Raises:
        SpikeError: a name or shape is not the model's, or one is missing; nothing has changed.
    """
    wanted = exported_state(model)
    for name in sorted(wanted.keys() | weights.keys()):
        ours = tuple(wanted[name].shape) if name in wanted else None
        theirs = tuple(weights[name].shape) if name in weights else None
        if ours != theirs:
            raise SpikeError(f"{name}: shape {theirs}, and the model wants {ours}")
    for name, value in weights.items():
        wanted[name].copy_(
            torch.from_numpy(value.dequantize()) if isinstance(value, QuantizedMatrix) else value
        )
