"""Rounds one run's matrices by spike and by other libraries: what is wrong afterwards, and bytes.

Matrices are those that multiply and have a Hessian. Errors are sums over all of them, of E and of
E H Eᵀ, each over the same sum of the weights. Bytes are codes, scales and zero points, as a library
keeps them in memory and through xz; spike's as its artifacts store them.
"""

import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from spike_commands.pack.calibration import run_hessians
from spike_lm.model.artifact.encodings import AdaptiveState, smallest_bytes
from spike_lm.model.families.parameter_roles import quantizable_weights
from spike_lm.model.quantization.gptq import weighted_errors
from spike_lm.model.quantization.plan import Precision
from spike_lm.model.quantization.quantize import quantize_matrix
from spike_lm.model.runs.folder import load_run

BITS = (3, 4, 8)


@dataclass
class Sums:
    """What all matrices together have."""

    plain: float = 0.0
    weighted: float = 0.0
    kept: int = 0
    packed: int = 0


def compare(folder: Path, data: Path) -> Iterator[str]:
    """Yield the lines of a table for a run."""
    run = load_run(folder)
    every = quantizable_weights(run.model)
    hessians = run_hessians(run, every, data_folder=data)
    matrices = {name: every[name].detach() for name in hessians}
    numbers = sum(weight.numel() for weight in matrices.values())
    power = sum(float(weight.square().sum()) for weight in matrices.values())
    heard = sum(float(weighted_errors(w, hessians[name]).sum()) for name, w in matrices.items())
    yield f"\n{folder.name}: {len(matrices)} matrices, {numbers:,} numbers\n"
    yield "| by | bits | error | weighed by H | bytes in memory | bytes stored |"
    yield "| --- " * 6 + "|"
    for bits in BITS:
        for label, way in ways().items():
            sums, learned = Sums(), AdaptiveState()
            for name, weight in matrices.items():
                rounded, kept, packed = way(weight, bits, hessians[name], learned)
                error = rounded - weight
                sums.plain += float(error.square().sum())
                sums.weighted += float(weighted_errors(error, hessians[name]).sum())
                sums.kept += kept
                sums.packed += packed
            share = f"{sums.plain / power:.2e} | {sums.weighted / heard:.2e}"
            yield f"| {label} | {bits} | {share} | {sums.kept:,} | {sums.packed:,} |"


Way = Callable[[Tensor, int, Tensor, AdaptiveState], tuple[Tensor, int, int]]


def ways() -> dict[str, Way]:
    """Return the ways of rounding, by name."""
    return {
        "spike, RTN": lambda w, bits, _, learned: ours(w, bits, None, learned),
        "spike, GPTQ": ours,
        "torchao, by row": torchao,
        "torchao, by row, HQQ scales": lambda w, bits, *_: torchao(w, bits, hqq_scales=True),
        "hqq, by row": lambda w, bits, *_: hqq(w, bits, w.shape[1]),
        "hqq, groups of 64": lambda w, bits, *_: hqq(w, bits, 64),
    }


def ours(
    weight: Tensor, bits: int, hessian: Tensor | None, learned: AdaptiveState
) -> tuple[Tensor, int, int]:
    """Round by spike; matrices share what the coder of an artifact has learned."""
    made = quantize_matrix(weight, Precision(bits), hessian)
    codes, _ = smallest_bytes(made.codes, bits, learned)[::-1]
    scales, _ = smallest_bytes(made.scales, 16, learned)[::-1]
    kept = made.codes.nbytes + made.scales.nbytes
    return torch.from_numpy(made.dequantize()), kept, len(codes) + len(scales)


def torchao(
    weight: Tensor, bits: int, *_: object, hqq_scales: bool = False
) -> tuple[Tensor, int, int]:
    """Round by torchao's weight-only configuration for any number of bits, one scale a row."""
    from torchao.quantization import IntxWeightOnlyConfig, PerAxis, quantize_
    from torchao.quantization.quant_primitives import MappingType
    from torchao.quantization.quantize_.workflows import IntxChooseQParamsAlgorithm

    choose = IntxChooseQParamsAlgorithm
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
    config = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{bits}"),
        granularity=PerAxis(0),
        mapping_type=MappingType.SYMMETRIC,
        scale_dtype=torch.float16,
        intx_choose_qparams_algorithm=choose.HQQ_SCALE_ONLY if hqq_scales else choose.AFFINE,
    )
    quantize_(layer, config)
    made = layer.weight
    return made.dequantize().float(), *sizes(made.qdata, made.scale)


def hqq(weight: Tensor, bits: int, group: int) -> tuple[Tensor, int, int]:
    """Round by half-quadratic quantisation, with zero points; needs no inputs either."""
    from hqq.core.quantize import Quantizer

    codes, meta = Quantizer.quantize(
        weight, nbits=bits, group_size=group, axis=1, device="cpu", compute_dtype=torch.float32
    )
    made = Quantizer.dequantize(codes, meta).float()
    return made, *sizes(codes, meta["scale"].half(), meta["zero"].half())


def sizes(*parts: Tensor) -> tuple[int, int]:
    """Return the bytes of tensors, and those of each of them through xz."""
    arrays = [np.ascontiguousarray(part.detach().numpy()) for part in parts]
    return (
        sum(array.nbytes for array in arrays),
        sum(
            len(lzma.compress(array.tobytes(), preset=9 | lzma.PRESET_EXTREME)) for array in arrays
        ),
    )
