"""HRM refinement: further passes over the last hidden states before the output layer.

From SpikeWhale: a gated step that reads the current and the initial row, repeated with the same
weights. It shares only the name and the aim with the hierarchical reasoning model (Wang et al.
2025, arXiv:2506.21734), which has slow and fast recurrent modules.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .rms_norm import NORM_EPS


class HRMRefine(nn.Module):
    """HRM refinement: a norm, projections down and up, and a gate per step, initially closed."""

    def __init__(self, *, dim: int, hidden_dim: int, steps: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(dim, eps=NORM_EPS)
        self.down = nn.Linear(2 * dim, hidden_dim, bias=False)
        self.up = nn.Linear(hidden_dim, dim, bias=False)
        # Only this is zero: were `up` zero as well, neither would ever have a gradient.
        self.gate = nn.Parameter(torch.zeros(steps))

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Map [B, T, D] to h, from h = x by h ← h + tanh(g) U SiLU(D [norm h; x])."""
        refined = hidden_states
        for step_gate in self.gate.unbind():
            inner = self.down(torch.cat([self.norm(refined), hidden_states], dim=-1))
            refined = torch.addcmul(refined, torch.tanh(step_gate), self.up(functional.silu(inner)))
        return refined
