"""Device and autocast precision of the computation."""

import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from spiketok.errors import SpikeError

from .config.schema import TrainConfig


def choose_device(name: str) -> str:
    """Return `cpu` or `cuda` for `auto`, `cpu` or `cuda`.

    Raises:
        SpikeError: a CUDA device is requested and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise SpikeError(
            'device cuda: no CUDA device here; use "cpu" or "auto" (train.device, --device)'
        )
    return "cuda" if available and name != "cpu" else "cpu"


def autocast(config: TrainConfig, device: str) -> AbstractContextManager[object]:
    """Return the context of forward passes: autocast to bfloat16, or a null context.

    Raises:
        SpikeError: bfloat16 is requested on a CPU without instructions for it, where a product
            would take 10 to 50 times as long as in float32.
    """
    if config.precision == "bfloat16" and device == "cpu" and not cpu_supports_bfloat16():
        raise SpikeError(
            'train.precision: this CPU has no bfloat16 instructions; use "float32" or "auto"'
        )
    on_capable_gpu = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if config.precision == "bfloat16" or (config.precision == "auto" and on_capable_gpu):
        return torch.autocast(device, dtype=torch.bfloat16)
    return nullcontext()


def cpu_supports_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the kernel lists bfloat16 instructions of the CPU (x86, Arm)."""
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return re.search(r"\b(avx512_bf16|amx_bf16|bf16)\b", text) is not None
