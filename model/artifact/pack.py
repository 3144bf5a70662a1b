"""Packing: the quantized artifact of a run, and its size in bytes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch import Tensor

import spiketok
from spiketok.errors import SpikeError

from ..config.quantization import QuantizeConfig
from ..families.language_model import LanguageModel
from ..families.parameter_roles import exported_state
from ..quantization.bit_allocation import allocate_bits, rate_distortion_candidates
from ..quantization.plan import Precision, quantization_plan
from ..quantization.quantize import quantize_model
from ..quantization.quantized_matrix import QuantizedMatrix
from ..runs.folder import Run
from .artifact import Artifact, artifact_to_bytes

# Attempts to meet a budget, and the share of it that may stay free.
TRIES, CLOSE = 5, 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Artifact and its bytes."""

    artifact: Artifact
    data: bytes


def pack_run(
    run: Run,
    settings: QuantizeConfig,
    hessians: Mapping[str, Tensor] | None = None,
    *,
    budget: int | None = None,
    tables: Mapping[str, bytes] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Packed:
    """Return the artifact of a run.

    Args:
        run: as returned by `load_run`.
        settings: quantization of its weights; `qat` and `crown_q` are for training alone.
        hessians: of `gather_hessians`, for GPTQ; None: codes are the nearest ones.
        budget: bytes that the artifact may have; the steps of matrices are then chosen for the
            smallest error that fits. Where nothing does, the smallest artifact that was tried is
            returned. None: `quantize.clip` sets the steps.
        tables: for evaluators, by name; the budget is theirs, too.
        report: called with the name of each weight that was rounded.

    Raises:
        SpikeError: a weight is not finite.
    """
    check_finite(run.model)
    plan, tables = quantization_plan(run.model, settings), tables or {}
    if budget is None:
        return packed(run, settings, plan, hessians, tables, report)
    trades = rate_distortion_candidates(run.model, plan, hessians)
    aim, best = float(budget), None
    for _ in range(TRIES):
        found = packed(run, settings, plan | allocate_bits(trades, aim), hessians, tables, report)
        size = len(found.data)
        if best is None or better(size, len(best.data), budget):
            best = found
        if 0 <= budget - size <= CLOSE * budget:
            break
        aim += budget * (1 - CLOSE / 2) - size
    assert best is not None  # noqa: S101 — at least one is tried
    return best


def check_finite(model: LanguageModel) -> None:
    """Raise for non-finite weights, which rounding would turn into plausible numbers."""
    for name, weight in exported_state(model).items():
        if not bool(weight.isfinite().all()):
            raise SpikeError(f"{name}: has numbers that are not finite; the run is damaged")


def better(size: int, other: int, budget: int) -> bool:
    """Return whether a size suits a budget better: within it first, then nearer to it.

    >>> better(9, 8, 10), better(11, 8, 10), better(11, 12, 10)
    (True, False, True)
    """
    if (size <= budget) != (other <= budget):
        return size <= budget
    return size > other if size <= budget else size < other


def packed(
    run: Run,
    settings: QuantizeConfig,
    plan: Mapping[str, Precision],
    hessians: Mapping[str, Tensor] | None,
    tables: Mapping[str, bytes],
    report: Callable[[str], None],
) -> Packed:
    """Quantize as planned and write the artifact."""
    weights: Mapping[str, QuantizedMatrix | Tensor] = quantize_model(
        run.model,
        plan,
        hessians,
        sparsity=settings.sparsity,
        correction_rank=settings.correction_rank,
        report=report,
    )
    artifact = Artifact(
        config=run.config,
        tokenizer=run.tokenizer,
        step=run.step,
        fingerprints=run.fingerprints,
        compression={k: str(v) for k, v in msgspec.structs.asdict(settings).items()},
        weights={
            name: weight if isinstance(weight, QuantizedMatrix) else weight.numpy()
            for name, weight in weights.items()
        },
        tables=tables,
        trained_ids=run.trained_ids,
    )
    return Packed(artifact=artifact, data=artifact_to_bytes(artifact))


def code_bytes() -> int:
    """Return the bytes of the Python sources of `model` and `spiketok`, which running one needs.

    All of them count, also those for training; compiled modules and libraries do not.
    """
    folders = [Path(__file__).parents[1], Path(str(spiketok.__file__)).parent]
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.py"))
