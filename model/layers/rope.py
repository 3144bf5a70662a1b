"""Rotary position embedding (RoPE) of queries and keys.

Su et al. 2021 (arXiv:2104.09864). Dimension i of a head is paired with dimension i + K/2, the
layout of Llama and Qwen checkpoints.
"""

import torch
from torch import Tensor


def rope_cos_sin(*, positions: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines [positions, K] in float32; row t is for position t.

    The angles are taken in float64: in float32 they would be off by 1e-3 at position 10,000.
    """
    pair = torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim
    angle = torch.outer(torch.arange(positions, dtype=torch.float64), base**-pair)
    both_halves = torch.cat([angle, angle], dim=-1)
    return both_halves.cos().float(), both_halves.sin().float()


def apply_rope(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate heads [..., T, K] by tables [T, K], in the type of `heads`."""
    first, second = heads.chunk(2, dim=-1)
    rotated_half = torch.cat([-second, first], dim=-1)
    return heads * cosines.to(heads.dtype) + rotated_half * sines.to(heads.dtype)
