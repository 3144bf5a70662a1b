"""Data parallelism: each rank reads parts of a batch; gradients are summed.

Every rank holds the whole model and its optimisers. All begin with the same weights and make the
same update of the same sums, so they stay equal to the byte; only the first one writes. Matrices
are not divided among ranks for Muon: the time that this would save is small beside a step. Without
a process group there is one rank, and all functions here do nothing.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, distributed


@contextmanager
def process_group() -> Iterator[int]:
    """Yield the rank of this process; the group of torchrun's processes exists inside the block.

    Backend gloo for tensors on CPUs, NCCL for those on CUDA devices, one device a process.
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
    """Return the number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Return the number of processes that train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def all_reduce_sum(tensors: Iterable[Tensor]) -> None:
    """Replace tensors, of one type and equal shapes on all ranks, by their sums in one call."""
    if world_size() == 1:
        return
    targets = list(tensors)
    joined = torch.cat([tensor.flatten() for tensor in targets])
    distributed.all_reduce(joined)
    sums = torch.split(joined, [tensor.numel() for tensor in targets])
    for target, total in zip(targets, sums, strict=True):
        target.copy_(total.view_as(target))


def sum_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace all gradients by their sums over the ranks; a missing gradient counts as zero."""
    if world_size() == 1:
        return
    for parameter in parameters:
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    all_reduce_sum(p.grad for p in parameters if p.grad is not None)


def all_gather(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    """Return the tensors of each rank, in the order of the ranks; all have the same shapes."""
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
    found = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return found.item()
