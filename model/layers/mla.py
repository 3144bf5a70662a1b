"""Multi-head latent attention (MLA) in SpikeWhale's form: low-rank queries and output.

After multi-head latent attention (DeepSeek-V2, arXiv:2405.04434), which narrows keys and values;
in SpikeWhale these have one head for all queries instead, which keeps the cache as small. Queries
and keys are normed before the last numbers of each head are rotated by position.
"""

from torch import Tensor, nn
from torch.nn import functional

from .derf_attention import DerfAttention
from .masks import UpdateKV, last_rows, mask_of_last
from .partial_rope import apply_rope_last
from .xsa import remove_self_value


class LatentAttention(nn.Module):
    """Latent attention: six projections without biases, of which two pairs are low-rank."""

    def __init__(
        self,
        *,
        dim: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        q_lora_rank: int,
        o_lora_rank: int,
        exclusive: bool,
        derf: bool,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.head_dim, self.exclusive = head_dim, exclusive
        self.query_down = nn.Linear(dim, q_lora_rank, bias=False)
        self.query_down_norm = nn.RMSNorm(q_lora_rank, eps=norm_eps)
        self.query_up = nn.Linear(q_lora_rank, heads * head_dim, bias=False)
        self.key = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.value = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.output_down = nn.Linear(heads * head_dim, o_lora_rank, bias=False)
        self.output_up = nn.Linear(o_lora_rank, dim, bias=False)
        self.query_norm = nn.RMSNorm(head_dim, eps=norm_eps)
        self.key_norm = nn.RMSNorm(head_dim, eps=norm_eps)
        self.derf = DerfAttention(heads=heads) if derf else None

    def forward(
        self,
        normed: Tensor,
        rope: tuple[Tensor, Tensor],
        attn_mask: Tensor | None = None,
        update_kv: UpdateKV | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map [B, T, D] to [B, T or last, D]; row t depends on rows 0 … t and on the cache.

        Args:
            normed: input of the layer.
            rope: cosines and sines, [T, R] or [B, 1, T, R].
            attn_mask: bool [B, 1, T, N], what each token may see; None: all before it, and N = T.
            update_kv: appends keys and values to the cache and returns all of them.
            last: number of last rows to return; None: all.
        """
        asking, attn_mask = last_rows(normed, last), mask_of_last(attn_mask, normed, last)
        heads = (-1, self.head_dim)
        query = self.query_up(self.query_down_norm(self.query_down(asking))).unflatten(-1, heads)
        query = self.query_norm(query).transpose(1, 2)  # [B, H, T, K]
        query = apply_rope_last(query, *(last_rows(table, last) for table in rope))
        key = self.key_norm(self.key(normed).unflatten(-1, heads)).transpose(1, 2)  # [B, G, T, K]
        key, own = (
            apply_rope_last(key, *rope),
            self.value(normed).unflatten(-1, heads).transpose(1, 2),
        )
        key, value = (key, own) if update_kv is None else update_kv(key, own)
        gathered = self._gather(query, key, value, attn_mask)
        if self.exclusive:
            gathered = remove_self_value(gathered, last_rows(own, last))
        output: Tensor = self.output_up(self.output_down(gathered.transpose(1, 2).flatten(2)))
        return output

    def _gather(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None
    ) -> Tensor:
        if self.derf is not None:
            gathered: Tensor = self.derf(query, key, value, attn_mask)
            return gathered
        # Shared heads are expanded here: enable_gqa's backward pass takes twice as long on CPUs.
        key, value = (_for_each_query_head(x, query.shape[1]) for x in (key, value))
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=attn_mask is None
        )


def _for_each_query_head(heads: Tensor, count: int) -> Tensor:
    """Return [B, H, N, K] of [B, G, N, K], each head for H / G; a view where G is 1."""
    group = count // heads.shape[1]
    return heads.unsqueeze(2).expand(-1, -1, group, -1, -1).flatten(1, 2)
