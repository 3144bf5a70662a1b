"""Training checkpoints: saving, and loading to resume."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from spiketok.atomic_files import durable_folder

from ..runs.checkpoint import (
    AVERAGE,
    BESIDE,
    TRAINED_IDS,
    TRAINING,
    WEIGHTS,
    foreign,
    put_tensor,
)
from ..runs.checkpoint_folders import all_checkpoints, checkpoint_folder
from ..runs.checkpoint_state import FORMAT, STATE, State
from ..runs.tensor_files import file_sha256, load_tensors, on_cpu, save_tensors
from ..runs.trained_ids import TrainedIds
from .optimizer_states import RANDOM, generators, optimizer_memory, put_generators, put_memory


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPosition:
    """Run position in its training, as `state.json` records it.

    Attributes:
        step: optimiser steps done.
        samples: sequences consumed.
        tokens: tokens trained on.
        seconds: of training, where these measure the run.
        fingerprints: of the run's sources and its configuration, by name.
    """

    step: int
    samples: int = 0
    tokens: int = 0
    seconds: float | None = None
    fingerprints: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingTensors:
    """Training tensors: those of a checkpoint besides the model's weights.

    Attributes:
        optimizers: those whose states are saved.
        averages: means of the weights, as `kind/parameter`.
        beside: trained parameters that are not the model's, by name.
        trained_ids: the ids that were targets so far, bool [vocab_size]; None where unknown.
    """

    optimizers: Sequence[torch.optim.Optimizer] = ()
    averages: Mapping[str, Tensor] = field(default_factory=dict)
    beside: Mapping[str, nn.Parameter] = field(default_factory=dict)
    trained_ids: TrainedIds = None


def save_checkpoint(
    run_folder: Path,
    model: nn.Module,
    position: RunPosition,
    training: TrainingTensors,
    *,
    keep: int = 1,
) -> Path:
    """Write the checkpoint of a step, unless it exists, and remove all but the newest `keep`.

    Args:
        run_folder: of the run.
        model: its weights are saved.
        position: step and sources of the run.
        training: all other tensors from which training continues.
        keep: number of checkpoints to keep.

    Raises:
        OSError: the disk is full; earlier checkpoints stay.
    """
    target, beside = checkpoint_folder(run_folder, position.step), training.beside
    if not target.exists():
        with durable_folder(target) as folder:
            save_tensors(on_cpu(model.state_dict()), folder / WEIGHTS)
            tensors = generators() | optimizer_memory(
                training.optimizers, {**dict(model.named_parameters()), **beside}
            )
            tensors |= {f"{BESIDE}/{name}": p for name, p in beside.items()}
            tensors |= {f"{AVERAGE}/{name}": mean for name, mean in training.averages.items()}
            if training.trained_ids is not None:
                tensors[TRAINED_IDS] = torch.from_numpy(training.trained_ids)
            save_tensors(on_cpu(tensors), folder / TRAINING)
            state = State(
                format=FORMAT,
                step=position.step,
                samples=position.samples,
                tokens=position.tokens,
                fingerprints=dict(position.fingerprints),
                sha256={name: file_sha256(folder / name) for name in (WEIGHTS, TRAINING)},
                seconds=position.seconds,
            )
            text = msgspec.json.format(msgspec.json.encode(state), indent=2)
            (folder / STATE).write_bytes(text + b"\n")
    for old in all_checkpoints(run_folder)[:-keep]:
        shutil.rmtree(old)
    return target


def load_training(
    folder: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    beside: Mapping[str, nn.Parameter],
) -> None:
    """Restore the training state: parameters besides the model's, optimiser states, generators.

    Args:
        folder: of the checkpoint.
        model: has its weights already.
        optimizers: their states are restored.
        beside: trained parameters that are not the model's, by name.

    Raises:
        SpikeError: the file has a tensor that is none of these, or of another shape or dtype.
    """
    path = folder / TRAINING
    saved = load_tensors(path)
    memory = {
        name: tensor
        for name, tensor in saved.items()
        if not name.startswith((f"{RANDOM}/", f"{AVERAGE}/", f"{BESIDE}/")) and name != TRAINED_IDS
    }
    put_memory(path, memory, optimizers, {**dict(model.named_parameters()), **beside})
    for name, parameter in beside.items():
        put_tensor(path, f"{BESIDE}/{name}", saved, parameter)
    for name in saved:
        if name.startswith(f"{BESIDE}/") and name.removeprefix(f"{BESIDE}/") not in beside:
            raise foreign(path, name)
    put_generators(path, {n: t for n, t in saved.items() if n.startswith(f"{RANDOM}/")})
