"""Multi-token prediction (MTP) through the model's own output layer.

From SpikeWhale: a head maps the last hidden state to the predicted one some tokens later, which the
output layer reads. In DeepSeek-V3 (arXiv:2412.19437) each head also has a layer and reads the
tokens between.
"""

from torch import Tensor, nn


class MTPState(nn.Module):
    """MTP state: maps hidden states h to h + W h; W is initially 0."""

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, dim, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        predicted: Tensor = hidden_states + self.proj(hidden_states)
        return predicted


class MTPStates(nn.ModuleList):
    """MTP states: head k (from 0) predicts hidden states for the token k + 2 later."""

    def __init__(self, *, heads: int, dim: int) -> None:
        super().__init__(MTPState(dim=dim) for _ in range(heads))

    def forward(self, hidden_states: Tensor) -> list[Tensor]:
        """Map [..., D] to [..., D] of each head."""
        return [head(hidden_states) for head in self]
