"""Process group: join the processes that torchrun starts into one run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def process_group() -> Iterator[int]:
    """Yield the rank of this process; the process group exists inside the block.

    Backend gloo for tensors on CPUs, NCCL for those on CUDA devices, one device a process.
    """
    import torch
    from torch import distributed

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
