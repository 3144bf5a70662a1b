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
        """Return the attention output [B, H, T, K].

        Args:
            query: [B, H, T, K].
            key: [B, G, N, K].
            value: [B, G, N, K].
            attn_mask: bool [B, 1, T, N], false for masked pairs; None: causal, and T = N.
        """
        group = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(group, dim=1) for x in (key, value))  # [B, H, N, K]
        scores = query @ key.mT * query.shape[-1] ** -0.5  # [B, H, T, N]
        weights = derf(scores, self.slope, self.shift, self.height)
        weights = weights.tril() if attn_mask is None else weights.masked_fill(~attn_mask, 0.0)
        return (weights / (weights.sum(dim=-1, keepdim=True) + EPS)).to(value.dtype) @ value
