"""JEPA auxiliary objective: the model predicts its own later hidden states.

From SpikeWhale: joint-embedding prediction (LeCun 2022; for language models Huang et al. 2025,
arXiv:2509.14252) of the hidden state some tokens later, which gets no gradient. The loss is
1 − cosine. Next-token prediction keeps the hidden states from collapsing.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .rms_norm import NORM_EPS


class JEPAPredictor(nn.Module):
    """JEPA predictor: norm, projections down and up, and a gate per distance, initially closed."""

    def __init__(self, *, dim: int, hidden_dim: int, horizon: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(dim, eps=NORM_EPS)
        self.down = nn.Linear(dim, hidden_dim, bias=False)
        self.up = nn.Linear(hidden_dim, dim, bias=False)
        self.gate = nn.Parameter(torch.zeros(horizon))

    def forward(self, rows: Tensor, distance: int) -> Tensor:
        """Map hidden states [..., D] to those predicted `distance` (from 1) tokens later."""
        inner = self.up(functional.silu(self.down(self.norm(rows))))
        return torch.addcmul(rows, torch.tanh(self.gate[distance - 1]), inner)


def cosine_distance(predicted: Tensor, target: Tensor) -> Tensor:
    """Return 1 − cosine of rows [N, D] as [N], in float32 or better; `target` gets no gradient."""
    precise = torch.promote_types(predicted.dtype, torch.float32)
    constant = target.detach().to(precise)
    return 1 - functional.cosine_similarity(predicted.to(precise), constant, dim=-1)
