"""Bigram hash embedding: a vector for each token and the one before it.

Pairs are hashed into the rows of a small table, which a projection widens. From
openai/parameter-golf; hashed n-gram embeddings are from Clark et al. 2022 (CANINE,
arXiv:2103.06874) and fastText (Bojanowski et al. 2017, arXiv:1607.04606).
"""

import torch
from torch import Tensor, nn

FACTOR, FACTOR_BEFORE = 36313, 27191


def hashed_bigrams(
    ids: Tensor, *, rows: int, eos_id: int, attention_mask: Tensor | None = None
) -> Tensor:
    """Return the table's row for each of ids [B, T]: a hash of the id and of the one before it.

    The last row is for ids without predecessor: the first id, ids after padding and every
    separator. So no document depends on the one before it.

    Args:
        ids: int64 [B, T].
        rows: number of rows of the table.
        eos_id: the separator.
        attention_mask: bool [B, T], false for padding; None: no padding.
    """
    paired = (FACTOR * ids[:, 1:]) ^ (FACTOR_BEFORE * ids[:, :-1])
    hashed = torch.nn.functional.pad(paired % (rows - 1), (1, 0), value=rows - 1)
    if attention_mask is not None:
        hashed[:, 1:].masked_fill_(~attention_mask[:, :-1], rows - 1)
    return hashed.masked_fill(ids == eos_id, rows - 1)


class BigramEmbedding(nn.Module):
    """Bigram embedding: table [rows, table width], projection to model width, learned scale."""

    def __init__(self, *, rows: int, table_dim: int, dim: int, eos_id: int) -> None:
        super().__init__()
        self.eos_id = eos_id
        self.table = nn.Embedding(rows, table_dim)
        self.proj = nn.Linear(table_dim, dim, bias=False)
        self.scale = nn.Parameter(torch.tensor([0.05]))

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Map ids [B, T] to [B, T, D]; `attention_mask` is false for padding, None: nowhere."""
        rows = hashed_bigrams(
            ids,
            rows=self.table.num_embeddings,
            eos_id=self.eos_id,
            attention_mask=attention_mask,
        )
        widened: Tensor = self.proj(self.table(rows))
        return widened * self.scale.to(widened.dtype)
