"""Data parallelism: each rank reads parts of a batch; gradients are summed.

Every rank holds the whole model and its optimisers. All begin with the same weights and make the
same update of the same sums, so they stay equal to the byte. Only the first one writes. Muon's
matrices are not divided among ranks: this would save little of a step's time. Without a process
group there is one rank, and all functions here do nothing.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, distributed


@contextmanager
def process_group() -> Iterator[int]:
    """Join torchrun's process group inside the block; yield the rank of this process.

    The backend is gloo for tensors on CPUs, NCCL on CUDA devices, with one device per process.
    """
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield 0
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group()
    try:
        yield distributed.get_rank()
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Return the rank of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def all_reduce_sum(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their sums over the ranks, in one call.

    They are of any shape, the same on all ranks, and of one type.
    """
    if world_size() == 1:
        return
    targets = list(tensors)
    joined = torch.cat([tensor.flatten() for tensor in targets])
    distributed.all_reduce(joined)
    sums = torch.split(joined, [tensor.numel() for tensor in targets])
    for target, total in zip(targets, sums, strict=True):
        target.copy_(total.view_as(target))


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace the gradients of parameters, of any shape, by their sums over the ranks.

    A missing gradient counts as zero.
    """
    if world_size() == 1:
        return
    for parameter in parameters:
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    all_reduce_sum(p.grad for p in parameters if p.grad is not None)


def all_gather(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Return the tensors of each rank, by rank; they have any shape, the same on all ranks."""
    if world_size() == 1:
        return [[*tensors]]
    joined = torch.cat([tensor.flatten() for tensor in tensors])
    everyone = [torch.empty_like(joined) for _ in range(world_size())]
    distributed.all_gather(everyone, joined)
    sizes = [tensor.numel() for tensor in tensors]
    return [
        [part.view_as(own) for part, own in zip(torch.split(row, sizes), tensors, strict=True)]
        for row in everyone
    ]


def all_reduce_max(value: float, device: str) -> float:
    """Return the maximum of `value` over all ranks; it is also a barrier."""
    if world_size() == 1:
        return value
    maximum = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(maximum, distributed.ReduceOp.MAX)
    return maximum.item()
