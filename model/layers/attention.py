"""Lets each token gather from the tokens before it.

Causal softmax attention (Vaswani et al. 2017, arXiv:1706.03762) in which groups of query heads
share a key and value head (Ainslie et al. 2023, arXiv:2305.13245), with normed queries and keys
(Henry et al. 2020, arXiv:2010.04245), which keeps the softmax from saturating.
"""

from torch import Tensor, nn
from torch.nn import functional

from .masks import Keep, last_rows, sight_of_last
from .rope import rotate


class Attention(nn.Module):
    """Four projections without biases around the attention kernel of torch."""

    def __init__(
        self, *, width: int, heads: int, kv_heads: int, head_width: int, norm_eps: float
    ) -> None:
        super().__init__()
        self.head_width = head_width
        self.query = nn.Linear(width, heads * head_width, bias=False)
        self.key = nn.Linear(width, kv_heads * head_width, bias=False)
        self.value = nn.Linear(width, kv_heads * head_width, bias=False)
        self.output = nn.Linear(heads * head_width, width, bias=False)
        self.query_norm = nn.RMSNorm(head_width, eps=norm_eps)
        self.key_norm = nn.RMSNorm(head_width, eps=norm_eps)

    def forward(
        self,
        stream: Tensor,
        tables: tuple[Tensor, Tensor],
        visible: Tensor | None = None,
        keep: Keep | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map [B, T, D] to [B, T or last, D]; row t depends on rows 0 … t and on what was kept.

        Args:
            stream: what the layer reads, normed.
            tables: cosines and sines, [T, K] or [B, 1, T, K].
            visible: bool [B, 1, T, N], what each token may see; None: all before it, and N = T.
            keep: takes in keys and values and gives those before them, too.
            last: how many rows are wanted, the last ones; None: all.
        """
        asking, visible = last_rows(stream, last), sight_of_last(visible, stream, last)
        heads = (-1, self.head_width)
        query = self.query_norm(self.query(asking).unflatten(-1, heads)).transpose(1, 2)
        key = self.key_norm(self.key(stream).unflatten(-1, heads)).transpose(1, 2)  # [B, G, T, K]
        value = self.value(stream).unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        query = rotate(query, *(last_rows(table, last) for table in tables))  # [B, H, T, K]
        key = rotate(key, *tables)
        if keep is not None:
            key, value = keep(key, value)
        gathered = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, is_causal=visible is None, enable_gqa=True
        )
        output: Tensor = self.output(gathered.transpose(1, 2).flatten(2))
        return output
