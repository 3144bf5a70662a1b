"""Optimiser and random generator states as named tensors, checked before they are restored."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from spiketok.errors import SpikeError

from ..runs.checkpoint import foreign
from ..runs.checkpoint_folders import advice
from ..runs.tensor_files import Tensors
from .muon import Muon

RANDOM = "random"
CPU, CUDA = f"{RANDOM}/cpu", f"{RANDOM}/cuda"
# State that each optimiser has for an updated parameter; `step` is a scalar.
SLOTS: dict[type[torch.optim.Optimizer], frozenset[str]] = {
    torch.optim.AdamW: frozenset(("step", "exp_avg", "exp_avg_sq")),
    Muon: frozenset(("momentum_buffer",)),
}


def generators() -> Tensors:
    """Return the states of the random number generators as `random/device`, uint8 [n]."""
    tensors = {CPU: torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors[CUDA] = torch.cuda.get_rng_state()
    return tensors


def put_generators(path: Path, saved: Mapping[str, Tensor]) -> None:
    """Restore states of generators, uint8 [n]; those of absent devices are skipped.

    Raises:
        SpikeError: one is not a state of such a generator; `path` is its file.
    """
    put = {CPU: torch.set_rng_state, CUDA: torch.cuda.set_rng_state}
    here = generators()
    for name, state in saved.items():
        if name not in put:
            raise foreign(path, name)
        if name not in here:
            continue
        if (state.shape, state.dtype) != (here[name].shape, here[name].dtype):
            raise foreign(path, name)
        try:
            put[name](state)
        except RuntimeError as error:
            raise SpikeError(f"{path}: {name}: {error}; {advice(path.parent)}") from None


def optimizer_memory(
    optimizers: Sequence[torch.optim.Optimizer], parameters: Mapping[str, nn.Parameter]
) -> Tensors:
    """Return the optimisers' state of each parameter, as `parameter/slot`."""
    return {
        f"{name}/{slot}": tensor
        for name, parameter in parameters.items()
        for optimizer in optimizers
        for slot, tensor in optimizer.state.get(parameter, {}).items()
    }


def put_memory(
    path: Path,
    saved: Mapping[str, Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    parameters: Mapping[str, nn.Parameter],
) -> None:
    """Restore the result of `optimizer_memory`: of each parameter all slots or none.

    Args:
        path: the file, for messages.
        saved: `parameter/slot` → tensor of the parameter's shape; `step` is a scalar.
        optimizers: of the parameters.
        parameters: by name.

    Raises:
        SpikeError: a tensor belongs to no parameter that trains, a slot is missing or unknown, or
            shape or dtype are not the parameter's; `path` is the file.
    """
    owners = {id(p): o for o in optimizers for g in o.param_groups for p in g["params"]}
    slots: dict[str, set[str]] = {}
    for key, tensor in saved.items():
        name, _, slot = key.rpartition("/")
        parameter = parameters.get(name)
        owner = owners.get(id(parameter))
        if parameter is None or owner is None or slot not in SLOTS[type(owner)]:
            raise foreign(path, key)
        shape = torch.Size([]) if slot == "step" else parameter.shape
        if (tensor.shape, tensor.dtype) != (shape, parameter.dtype):
            raise foreign(path, key)
        owner.state[parameter][slot] = tensor.to(parameter.device)
        slots.setdefault(name, set()).add(slot)
    for name, present in slots.items():
        if missing := SLOTS[type(owners[id(parameters[name])])] - present:
            raise SpikeError(f"{path}: {name}/{min(missing)}: missing; {advice(path.parent)}")
