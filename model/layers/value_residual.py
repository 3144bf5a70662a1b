"""Value residual: mixes the first layer's values into those of a layer.

ResFormer, Zhou et al. 2024 (arXiv:2410.17897): the first layer's values of a token reach all
layers. The BESE record names it but had it switched off; it ran `value_embedding.py`.
"""

import torch
from torch import Tensor, nn


class ValueResidual(nn.Module):
    """Value residual: two weights, a half each at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, value: Tensor, first: Tensor) -> Tensor:
        """Mix values and the first layer's values, of one shape."""
        share_first, share = self.shares.to(value.dtype).unbind()
        return share_first * first + share * value
