"""Makes an artifact of a run: rounds its weights as configured and says what all of it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

import spiketok

from ..compress_config import CompressConfig
from ..run_folder import Run
from .artifact import Artifact, artifact_to_bytes
from .budget import fitting_plans
from .matrices import Precision, plan_of
from .quantize import quantize_model
from .quantized_matrix import QuantizedMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """An artifact and its bytes."""

    artifact: Artifact
    data: bytes


def pack_run(
    run: Run,
    compress: CompressConfig,
    hessians: Mapping[str, Tensor] | None = None,
    *,
    budget: int | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Packed:
    """Return the artifact of a run.

    Args:
        run: what `load_run` gave.
        compress: what is to become of its weights; `qat` and `crown_q` are of training alone.
        hessians: of `gather_hessians`, for GPTQ; None: codes are the nearest ones.
        budget: bytes that the artifact may have; steps are then chosen so that it does, and the
            smallest error of what was tried is returned; where nothing fits, the smallest file.
            None: steps are as `compress.clip` says.
        report: called with the name of each weight that was rounded.
    """
    plan = plan_of(run.model, compress)
    if budget is None:
        return packed(run, compress, plan, hessians, report)
    best: Packed | None = None
    for tried in fitting_plans(run, plan, hessians):
        found = packed(run, compress, tried.plan, hessians, report)
        if best is None or len(found.data) < len(best.data):
            best = found
        if tried.judge(len(found.data), budget):
            return found
    assert best is not None  # noqa: S101 — at least one plan is tried
    return best


def packed(
    run: Run,
    compress: CompressConfig,
    plan: Mapping[str, Precision],
    hessians: Mapping[str, Tensor] | None,
    report: Callable[[str], None],
) -> Packed:
    """Round as planned and write the artifact."""
    weights: Mapping[str, QuantizedMatrix | Tensor] = quantize_model(
        run.model,
        plan,
        hessians,
        prune=compress.prune,
        correction_rank=compress.correction_rank,
        report=report,
    )
    artifact = Artifact(
        config=run.config,
        tokenizer=run.tokenizer,
        step=run.step,
        fingerprints=run.fingerprints,
        compression={k: str(v) for k, v in msgspec.structs.asdict(compress).items()},
        weights={
            name: weight if isinstance(weight, QuantizedMatrix) else weight.numpy()
            for name, weight in weights.items()
        },
    )
    return Packed(artifact=artifact, data=artifact_to_bytes(artifact))


def code_bytes() -> int:
    """Return the bytes of the Python sources of `model` and `spiketok`, which running one needs.

    All of them count, also those for training; compiled modules and libraries do not.
    """
    folders = [Path(__file__).parents[1], Path(str(spiketok.__file__)).parent]
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.py"))


def array_rows(data: Any) -> Any:
    """Return nothing yet."""
    return data
