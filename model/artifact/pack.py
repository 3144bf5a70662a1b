"""Packing: quantization of a run to an artifact, within a budget of bytes."""

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
    """Packed model: an artifact and its bytes."""

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
        hessians: of `gather_hessians`, [columns, columns] each, for GPTQ; None: round to nearest.
        budget: largest size in bytes. The steps of matrices are then chosen for the smallest error
            that fits. If none fits, the smallest artifact that was tried is returned. None:
            `quantize.clip` sets the steps.
        tables: for evaluators, by name; they count against the budget, too.
        report: called with the name of each quantized weight.

    Raises:
        SpikeError: a weight is not finite.
    """
    check_finite(run.model)
    plan, tables = quantization_plan(run.model, settings), tables or {}
    if budget is None:
        return packed(run, settings, plan, hessians, tables, report)
    trades = rate_distortion_candidates(run.model, plan, hessians)
    # The sizes of candidates are estimates; the error of one attempt corrects the next.
    target, best = float(budget), None
    for _ in range(TRIES):
        bits = plan | allocate_bits(trades, target)
        attempt = packed(run, settings, bits, hessians, tables, report)
        size = len(attempt.data)
        if best is None or better(size, len(best.data), budget):
            best = attempt
        if 0 <= budget - size <= CLOSE * budget:
            break
        target += budget * (1 - CLOSE / 2) - size
    assert best is not None  # noqa: S101 — at least one is tried
    return best


def check_finite(model: LanguageModel) -> None:
    """Check that all weights are finite; rounding would turn NaN into plausible numbers.

    Raises:
        SpikeError: one is not.
    """
    for name, weight in exported_state(model).items():
        if not bool(weight.isfinite().all()):
            raise SpikeError(
                f"{name}: not all numbers are finite; train again at lower learning rates"
            )


def better(size: int, other: int, budget: int) -> bool:
    """Return whether `size` fits a budget better than `other`: within it, and nearer to it.

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
    """Quantize the weights of a run as planned, and return the artifact.

    Args:
        run: with the weights.
        settings: sparsity and rank of corrections; the artifact keeps all of them.
        plan: precision of each matrix.
        hessians: [columns, columns] each; None: round to nearest.
        tables: for evaluators, by name.
        report: called with the name of each quantized weight.
    """
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
    """Return the size in bytes of the Python sources of `model` and `spiketok`.

    Running a model needs some of them; compiled modules and libraries do not count.
    """
    folders = [Path(__file__).parents[1], Path(str(spiketok.__file__)).parent]
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.py"))
