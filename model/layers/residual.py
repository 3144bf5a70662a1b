"""Residual branches: attention and feed-forward network in sequence or in parallel.

In parallel both read the same normed input, as in GPT-J (Wang and Komatsuzaki 2021,
https://github.com/kingoflolz/mesh-transformer-jax). Each branch has a learned vector of scales.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .attention_inputs import last_rows
from .rms_norm import scaled_norm


class ResidualBranches(nn.Module):
    """Residual branches: a learned vector of scales [D] for each of the two, initially ones."""

    def __init__(self, *, dim: int, parallel: bool, norm_scale: float) -> None:
        super().__init__()
        self.parallel, self.norm_scale = parallel, norm_scale
        self.attn_scale = nn.Parameter(torch.ones(dim))
        self.mlp_scale = nn.Parameter(torch.ones(dim))

    def forward(
        self,
        stream: Tensor,
        attention: Callable[[Tensor], Tensor],
        mlp: Callable[[Tensor], Tensor],
        logits_to_keep: int | None = None,
    ) -> Tensor:
        """Map the residual stream [B, T, D] to the next, or to its last rows.

        Args:
            stream: residual stream [B, T, D].
            attention: maps normed rows [B, T, D] to [B, T or logits_to_keep, D].
            mlp: maps rows to rows, each independently.
            logits_to_keep: number of last rows to return; None: all.
        """
        normed = scaled_norm(stream, self.norm_scale)
        attended = torch.addcmul(
            last_rows(stream, logits_to_keep), self.attn_scale, attention(normed)
        )
        mlp_input = (
            last_rows(normed, logits_to_keep)
            if self.parallel
            else scaled_norm(attended, self.norm_scale)
        )
        return torch.addcmul(attended, self.mlp_scale, mlp(mlp_input))
