"""LeakyReLU² feed-forward network.

ReLU² is from Primer (So et al. 2021, arXiv:2109.08668). A slope below zero, 0.5 in the records, is
from openai/parameter-golf. Slope 0 is ReLU².
"""

from torch import Tensor, nn
from torch.nn import functional


class LeakyReLUSquaredMLP(nn.Module):
    """LeakyReLU²: one projection up, the square of leaky ReLU, one projection down; no biases."""

    def __init__(self, *, dim: int, ffn_dim: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        self.up_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.down_proj = nn.Linear(ffn_dim, dim, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Map [B, T, D] to [B, T, D], each token independently."""
        inner = functional.leaky_relu(self.up_proj(hidden_states), self.slope)
        output: Tensor = self.down_proj(inner.square())
        return output
