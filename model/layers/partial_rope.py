"""Partial rotary position embedding: some numbers of a head are not rotated.

Partial RoPE as in GPT-NeoX-20B (Black et al. 2022, arXiv:2204.06745); the record models of
openai/parameter-golf rotate 16 of 64 numbers. For contexts longer than the length of a base, the
base grows so that the slowest pair rotates as far as before ("NTK-aware").
"""

import torch
from torch import Tensor

from .rope import apply_rope


def ntk_scaled_base(base: float, *, length: int, base_length: int, rope_dims: int) -> float:
    """Return base · (length / base_length)^(R / (R − 2)) for R rotated numbers, or base if shorter.

    `base_length` 0 keeps the base, and so does a single pair, which has no slower one.

    >>> round(ntk_scaled_base(10000.0, length=2048, base_length=1024, rope_dims=16))
    22082
    """
    if not base_length or length <= base_length or rope_dims <= 2:
        return base
    return float(base * (length / base_length) ** (rope_dims / (rope_dims - 2)))


def apply_rope_first(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate the first R numbers of heads [..., T, K] by tables [T, R]; the others stay."""
    dim = cosines.shape[-1]
    turned, free = heads[..., :dim], heads[..., dim:]
    return torch.cat([apply_rope(turned, cosines, sines), free], dim=-1)


def apply_rope_last(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate the last R numbers of heads [..., T, K]; the others stay."""
    free = heads.shape[-1] - cosines.shape[-1]
    return torch.cat([heads[..., :free], apply_rope(heads[..., free:], cosines, sines)], dim=-1)
