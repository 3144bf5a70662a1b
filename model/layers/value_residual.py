"""Value residual: mixes the first layer's values into those of a layer.

Value residual learning (ResFormer), Zhou et al. 2024 (arXiv:2410.17897): what the first layer knew
of a token stays at hand, however deep. The BESE record names it but had it switched off; what it
ran is in `value_embedding.py`.
"""

import torch
from torch import Tensor, nn


class ValueResidual(nn.Module):
    """Two numbers, a half each at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.shares = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, value: Tensor, first: Tensor) -> Tensor:
        """Mix values and the first layer's values, of one shape."""
        share_first, share = self.shares.to(value.dtype).unbind()
        return share_first * first + share * value
