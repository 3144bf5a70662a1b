"""Training checkpoints: saving, and loading to resume."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from spiketok.atomic_files import durable_folder

from ..runs.checkpoint import (
    AVERAGE,
    BESIDE,
    FORMAT,
    STATE,
    TRAINED_IDS,
    TRAINING,
    WEIGHTS,
    State,
    foreign,
    put_tensor,
)
from ..runs.checkpoint_folders import all_checkpoints, checkpoint_folder
from ..runs.tensor_files import file_sha256, load_tensors, on_cpu, save_tensors
from ..runs.trained_ids import TrainedIds
from .optimizer_states import RANDOM, generators, optimizer_memory, put_generators, put_memory


def save_checkpoint(
    run_folder: Path,
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    averages: Mapping[str, Tensor],
    beside: Mapping[str, nn.Parameter],
    *,
    step: int,
    samples: int,
    tokens: int,
    seconds: float | None,
    fingerprints: Mapping[str, str],
    keep: int,
    trained_ids: TrainedIds = None,
) -> Path:
    """Write the checkpoint of `step`, unless it is there, and remove all but the newest `keep`.

    Parameters `beside` the model's and `trained_ids` are saved with the training state.

    Raises:
        OSError: the disk is full; earlier checkpoints stay.
    """
    target = checkpoint_folder(run_folder, step)
    if not target.exists():
        with durable_folder(target) as folder:
            save_tensors(on_cpu(model.state_dict()), folder / WEIGHTS)
            training = generators() | optimizer_memory(
                optimizers, {**dict(model.named_parameters()), **beside}
            )
            training |= {f"{BESIDE}/{name}": p for name, p in beside.items()}
            training |= {f"{AVERAGE}/{name}": mean for name, mean in averages.items()}
            if trained_ids is not None:
                training[TRAINED_IDS] = torch.from_numpy(trained_ids)
            save_tensors(on_cpu(training), folder / TRAINING)
            state = State(
                format=FORMAT,
                step=step,
                samples=samples,
                tokens=tokens,
                fingerprints=dict(fingerprints),
                sha256={name: file_sha256(folder / name) for name in (WEIGHTS, TRAINING)},
                seconds=seconds,
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
    """Restore the training state: trained-only parameters, optimiser states, random generators.

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
