"""Value embedding: adds a vector of the token to the attention values of some layers.

All these layers share one table of narrow vectors and one projection that widens them. The result
is multiplied by a learned scalar for all layers and one per layer. openai/parameter-golf calls it
VE128; value embeddings come from modded-nanogpt, after Zhou et al. 2024 (arXiv:2410.17897).
"""

import torch
from torch import Tensor, nn


class ValueEmbedding(nn.Module):
    """Value embedding: table [V, table width], projection to all value heads, learned scales."""

    def __init__(self, *, vocab_size: int, table_dim: int, kv_dim: int, layers: int) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab_size, table_dim)
        self.proj = nn.Linear(table_dim, kv_dim, bias=False)
        self.scale = nn.Parameter(torch.tensor([0.1]))
        self.layer_scales = nn.Parameter(torch.ones(layers))

    def forward(self, ids: Tensor) -> list[Tensor]:
        """Map ids [B, T] to the addition to each layer's values, [B, T, G · K] each."""
        widened: Tensor = self.proj(self.table(ids)) * self.scale
        return [widened * scale for scale in self.layer_scales.unbind()]
