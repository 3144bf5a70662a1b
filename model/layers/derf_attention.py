"""Derf attention: the error function of the scores instead of softmax.

SpikeWhale's releases have this alternative and leave it off. Each head has a slope, a shift and a
height of its own (`derf.py`); a row's weights are divided by their sum.
"""

import torch
from torch import Tensor, nn

from .derf import derf

EPS = 1e-8


class DerfAttention(nn.Module):
    """Derf attention: slope, shift and height per query head, initially 1, 0 and 1."""

    def __init__(self, *, heads: int) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(heads, 1, 1))
        self.shift = nn.Parameter(torch.zeros(heads, 1, 1))
        self.height = nn.Parameter(torch.ones(heads, 1, 1))

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None
    ) -> Tensor:
        """Gather values [B, G, N, K] by queries [B, H, T, K] and keys [B, G, N, K].

        Bool `attn_mask` [B, 1, T, N] is false for masked pairs; None: causal, and T = N.
        """
        group = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(group, dim=1) for x in (key, value))
        scores = query @ key.mT * query.shape[-1] ** -0.5
        weights = derf(scores, self.slope, self.shift, self.height)
        weights = weights.tril() if attn_mask is None else weights.masked_fill(~attn_mask, 0.0)
        return (weights / (weights.sum(dim=-1, keepdim=True) + EPS)).to(value.dtype) @ value
