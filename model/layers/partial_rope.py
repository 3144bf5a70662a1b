"""Partial rotary position embedding (partial RoPE), and NTK-aware scaling of its base.

Some dimensions of a head are not rotated, as in GPT-NeoX-20B (Black et al. 2022, arXiv:2204.06745);
the record models of openai/parameter-golf rotate 16 of 64. For contexts longer than the one that a
base is for, the base grows so that the slowest pair rotates as far as before ("NTK-aware", YaRN,
arXiv:2309.00071).
"""

import torch
from torch import Tensor

from .rope import apply_rope


def ntk_scaled_base(base: float, *, length: int, base_length: int, rope_dims: int) -> float:
    """Return base · (length / base_length)^(R / (R − 2)), or the base for shorter contexts.

    Args:
        base: base of RoPE's wavelengths.
        length: context in tokens.
        base_length: context that `base` is for; 0: any.
        rope_dims: number R of rotated dimensions; with a single pair the base stays.

    >>> round(ntk_scaled_base(10000.0, length=2048, base_length=1024, rope_dims=16))
    22082
    """
    if not base_length or length <= base_length or rope_dims <= 2:
        return base
    return float(base * (length / base_length) ** (rope_dims / (rope_dims - 2)))


def apply_rope_first(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate the first R numbers of heads [..., T, K] by tables [T, R]; the others stay."""
    dim = cosines.shape[-1]
    rotated, rest = heads[..., :dim], heads[..., dim:]
    return torch.cat([apply_rope(rotated, cosines, sines), rest], dim=-1)


def apply_rope_last(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate the last R numbers of heads [..., T, K] by tables [T, R]; the others stay."""
    rest = heads.shape[-1] - cosines.shape[-1]
    return torch.cat([heads[..., :rest], apply_rope(heads[..., rest:], cosines, sines)], dim=-1)
