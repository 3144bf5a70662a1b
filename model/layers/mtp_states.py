"""Multi-token prediction (MTP) through the model's own output layer.

SpikeWhale's multi-token prediction: a head turns the last hidden row into the one that it expects
further on. It is the cheapest of its kind; DeepSeek-V3 (arXiv:2412.19437) gives each head a layer
and the tokens between.
"""

from torch import Tensor, nn


class MTPStates(nn.Module):
    """Head k (from 0) maps hidden rows h to h + W h, which predict the token k + 2 further on."""

    def __init__(self, *, heads: int, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(heads))

    def forward(self, normed: Tensor) -> list[Tensor]:
        """Map [..., D] to [..., D] of each head; with W = 0, as at the start, to itself."""
        return [normed + head(normed) for head in self.heads]
