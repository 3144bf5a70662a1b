"""x0 mix: each layer's input is mixed with the first embedding.

x ← a ⊙ x + b ⊙ x₀ before a layer, initially a = 1 and b = 0. From modded-nanogpt
(https://github.com/KellerJordan/modded-nanogpt), used by all records of openai/parameter-golf.
"""

import torch
from torch import Tensor, nn


class ResidualMix(nn.Module):
    """x0 mix: two learned vectors [D], a and b."""

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.stream = nn.Parameter(torch.ones(dim))
        self.first = nn.Parameter(torch.zeros(dim))

    def forward(self, stream: Tensor, first: Tensor) -> Tensor:
        """Mix the stream [B, T, D] with the first embedding [B, T, D]."""
        return torch.addcmul(self.stream * stream, self.first, first)
