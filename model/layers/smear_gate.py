"""Smear gate: blends each token's embedding with that of the token before.

From openai/parameter-golf. Its first form had no mask, so that documents read the end of the one
before (PR #1851).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class SmearGate(nn.Module):
    """Smear gate: a learned vector [D]; its sigmoid, initially a half, is the share g."""

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(dim))

    def forward(self, stream: Tensor, begins: Tensor) -> Tensor:
        """Map [B, T, D] to (1 − g) x_t + g x_(t−1).

        Where bool `begins` [B, T] is true, a document begins and x_t is unchanged. Zeros precede
        the first row.
        """
        share = torch.sigmoid(self.gate).to(stream.dtype) * ~begins.unsqueeze(-1)
        before = functional.pad(stream[:, :-1], (0, 0, 1, 0))
        return (1 - share) * stream + share * before
