"""SwiGLU feed-forward network, Shazeer 2020 (arXiv:2002.05202)."""

from torch import Tensor, nn
from torch.nn import functional


class FeedForward(nn.Module):
    """SwiGLU: two projections up, of which one gates the other, and one down; no biases."""

    def __init__(self, *, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.up_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.down_proj = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Map [B, T, D] to [B, T, D], each token independently."""
        gated = functional.silu(self.gate_proj(hidden_states)) * self.up_proj(hidden_states)
        output: Tensor = self.down_proj(gated)
        return output
