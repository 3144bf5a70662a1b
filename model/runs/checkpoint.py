"""Checkpoints: loading weights, averages and trained ids of a run at a step.

The layout is in docs/formats.md, section 3.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from spiketok.errors import SpikeError
from spiketok.fingerprints import distinct_prefixes

from .checkpoint_folders import advice
from .checkpoint_state import STATE, State, named, parse_state
from .stored_weights import check_weights, described
from .tensor_files import (
    Tensors,
    load_tensors,
    read_failures,
    tensors_sha256,
)
from .trained_ids import TrainedIds

KINDS = ("ema", "swa")
SNAPSHOTS = "snapshots"

WEIGHTS = "model.safetensors"
TRAINING = "training.safetensors"
AVERAGE = "average"
BESIDE = "beside"
TRAINED_IDS = "targets/trained"


def read_state(folder: Path) -> State:
    """Read `state.json` and check the other files against their digests.

    Raises:
        SpikeError: the format is unknown, or a file is missing, damaged or not the one saved.
    """
    state = parse_state(folder)
    for name in (WEIGHTS, TRAINING):
        with named(folder, name):
            digest = tensors_sha256(folder / name)
        if not digest:
            fault = "damaged (not of the size of its tensors)"
            raise SpikeError(f"{folder / name}: {fault}; {advice(folder)}")
        actual, recorded = distinct_prefixes(digest, state.sha256.get(name, ""))
        if actual != recorded:
            raise SpikeError(
                f"{folder / name}: its sha256 ({actual}) is not the one in {folder / STATE} "
                f"({recorded}), so one of both is damaged; {advice(folder)}"
            )
    return state


def load_weights(folder: Path, model: nn.Module) -> None:
    """Copy the weights of a checkpoint into a model of that shape.

    Raises:
        SpikeError: they cannot be read, or names, shapes or dtypes differ from the model's.
    """
    weights = load_tensors(folder / WEIGHTS)
    check_weights(described(weights), described(model.state_dict()), str(folder / WEIGHTS))
    model.load_state_dict(weights)


def load_averages(folder: Path, model: nn.Module, kind: str = "") -> Tensors:
    """Return the weight averages as `kind/parameter`, or of one kind, by parameter alone.

    Raises:
        SpikeError: the file cannot be read, or has parameters that the model does not have.
    """
    path = folder / TRAINING
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    expected = {f"{k}/{name}": (s, torch.float32) for k in KINDS for name, s in shapes.items()}
    expected[SNAPSHOTS] = (torch.Size([]), torch.int64)
    prefix = f"{AVERAGE}/"
    with read_failures(path) as opened, safe_open(opened, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        means = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    for name, mean in means.items():
        if (mean.shape, mean.dtype) != expected.get(name):
            raise foreign(path, prefix + name)
    of_kind = f"{kind}/" if kind else ""
    return {n.removeprefix(of_kind): mean for n, mean in means.items() if n.startswith(of_kind)}


def load_trained_ids(folder: Path, vocab_size: int) -> TrainedIds:
    """Return the trained ids, bool [vocab_size]; None where the checkpoint lacks them.

    Raises:
        SpikeError: the file cannot be read, or has another number of ids.
    """
    path = folder / TRAINING
    with read_failures(path) as opened, safe_open(opened, framework="pt") as file:
        if TRAINED_IDS not in file.keys():  # noqa: SIM118
            return None
        mask = file.get_tensor(TRAINED_IDS)
    if mask.shape != (vocab_size,) or mask.dtype != torch.bool:
        raise SpikeError(f"{path}: {TRAINED_IDS}: not of {vocab_size} ids; {advice(folder)}")
    trained: TrainedIds = mask.numpy()
    return trained


def foreign(path: Path, name: str) -> SpikeError:
    """Return the error of a tensor that does not belong to the run."""
    return SpikeError(f"{path}: {name}: fits no parameter of this config; {advice(path.parent)}")


def put_tensor(path: Path, key: str, saved: Mapping[str, Tensor], parameter: nn.Parameter) -> None:
    """Copy a saved tensor, if there is one, into a parameter of its shape and dtype.

    Args:
        path: the file, for messages.
        key: name of the tensor.
        saved: tensors of any shape, by name.
        parameter: of any shape.

    Raises:
        SpikeError: shape or dtype differ.
    """
    if key in saved:
        if (saved[key].shape, saved[key].dtype) != (parameter.shape, parameter.dtype):
            raise foreign(path, key)
        parameter.data.copy_(saved[key])
