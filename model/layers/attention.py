"""Causal grouped-query attention with QK-norm.

Causal softmax attention (Vaswani et al. 2017, arXiv:1706.03762) in which groups of query heads
share a key and value head (Ainslie et al. 2023, arXiv:2305.13245), with normed queries and keys
(Henry et al. 2020, arXiv:2010.04245), which keeps the softmax from saturating.
"""

from torch import Tensor, nn
from torch.nn import functional

from .masks import UpdateKV, last_rows, mask_of_last
from .rope import apply_rope


class Attention(nn.Module):
    """Attention: four projections without biases around the attention kernel of torch."""

    def __init__(
        self, *, dim: int, heads: int, kv_heads: int, head_dim: int, norm_eps: float
    ) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.query = nn.Linear(dim, heads * head_dim, bias=False)
        self.key = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.value = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.output = nn.Linear(heads * head_dim, dim, bias=False)
        self.query_norm = nn.RMSNorm(head_dim, eps=norm_eps)
        self.key_norm = nn.RMSNorm(head_dim, eps=norm_eps)

    def forward(
        self,
        stream: Tensor,
        rope: tuple[Tensor, Tensor],
        attn_mask: Tensor | None = None,
        update_kv: UpdateKV | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map [B, T, D] to [B, T or last, D]; row t depends on rows 0 … t and on the cache.

        Args:
            stream: normed input of the layer.
            rope: cosines and sines, [T, K] or [B, 1, T, K].
            attn_mask: bool [B, 1, T, N], what each token may see; None: all before it, and N = T.
            update_kv: appends keys and values to the cache and returns all of them.
            last: number of last rows to return; None: all.
        """
        asking, attn_mask = last_rows(stream, last), mask_of_last(attn_mask, stream, last)
        heads = (-1, self.head_dim)
        query = self.query_norm(self.query(asking).unflatten(-1, heads)).transpose(1, 2)
        key = self.key_norm(self.key(stream).unflatten(-1, heads)).transpose(1, 2)  # [B, G, T, K]
        value = self.value(stream).unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        query = apply_rope(query, *(last_rows(table, last) for table in rope))  # [B, H, T, K]
        key = apply_rope(key, *rope)
        if update_kv is not None:
            key, value = update_kv(key, value)
        gathered = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=attn_mask is None, enable_gqa=True
        )
        output: Tensor = self.output(gathered.transpose(1, 2).flatten(2))
        return output
