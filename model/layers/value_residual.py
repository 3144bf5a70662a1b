"""Value residual: mixes the first layer's values into those of a layer.

ResFormer, Zhou et al. 2024 (arXiv:2410.17897): the first layer's values of a token reach all
layers. The BESE record (PR #1666) names it and used `value_embedding.py` instead.
"""

import torch
from torch import Tensor, nn


class ValueResidual(nn.Module):
    """Value residual: two learned scalars, initially a half each."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, value: Tensor, first: Tensor) -> Tensor:
        """Mix values and the first layer's values, both [B, G, T, K]."""
        share_first, share = self.shares.to(value.dtype).unbind()
        return share_first * first + share * value
