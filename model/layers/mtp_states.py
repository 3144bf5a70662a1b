"""Multi-token prediction (MTP) through the model's own output layer.

From SpikeWhale: a head maps the last hidden row to the predicted row some tokens later. It is the
cheapest of its kind; in DeepSeek-V3 (arXiv:2412.19437) each head has a layer and reads the tokens
between.
"""

from torch import Tensor, nn


class MTPStates(nn.Module):
    """MTP states: head k (from 0) maps hidden rows h to h + W h, for the token k + 2 later."""

    def __init__(self, *, heads: int, dim: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(heads))

    def forward(self, hidden_states: Tensor) -> list[Tensor]:
        """Map [..., D] to [..., D] of each head; with W = 0, as at the start, to itself."""
        return [hidden_states + head(hidden_states) for head in self.heads]
