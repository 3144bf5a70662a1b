"""Residual branches: attention and feed-forward network in sequence or in parallel.

In parallel both read the same normed input, as in GPT-J (Wang and Komatsuzaki 2021,
https://github.com/kingoflolz/mesh-transformer-jax). Each branch has a learned vector of scales.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .masks import last_rows
from .rms_norm import scaled_norm


class ResidualBranches(nn.Module):
    """Residual branches: two scale vectors over the width, all ones at the start."""

    def __init__(self, *, dim: int, parallel: bool, scale: float) -> None:
        super().__init__()
        self.parallel, self.scale = parallel, scale
        self.attention = nn.Parameter(torch.ones(dim))
        self.feed_forward = nn.Parameter(torch.ones(dim))

    def forward(
        self,
        stream: Tensor,
        attend: Callable[[Tensor], Tensor],
        feed: Callable[[Tensor], Tensor],
        last: int | None = None,
    ) -> Tensor:
        """Map the stream [B, T, D] to the next, or to its `last` rows.

        `attend` maps [B, T, D] to [B, T or last, D], `feed` maps rows to rows.
        """
        normed = scaled_norm(stream, self.scale)
        gathered = torch.addcmul(last_rows(stream, last), self.attention, attend(normed))
        worked = feed(
            last_rows(normed, last) if self.parallel else scaled_norm(gathered, self.scale)
        )
        return torch.addcmul(gathered, self.feed_forward, worked)
