"""Multi-head latent attention (MLA) in SpikeWhale's form: low-rank queries and output.

Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434) compresses keys and values. In
SpikeWhale these have one head for all queries instead, which makes the KV cache as small. Queries
and keys are normed, then the last dimensions of each head are rotated (partial RoPE).
"""

from torch import Tensor, nn
from torch.nn import functional

from .attention_inputs import AttentionInputs, last_rows
from .derf_attention import DerfAttention
from .partial_rope import apply_rope_last
from .xsa import remove_self_value


class LatentAttention(nn.Module):
    """Latent attention: six projections without biases; queries and output have low-rank pairs."""

    def __init__(
        self,
        *,
        dim: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        q_lora_rank: int,
        o_lora_rank: int,
        use_xsa: bool,
        derf: bool,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.head_dim, self.use_xsa = head_dim, use_xsa
        self.q_a_proj = nn.Linear(dim, q_lora_rank, bias=False)
        self.q_a_norm = nn.RMSNorm(q_lora_rank, eps=norm_eps)
        self.q_b_proj = nn.Linear(q_lora_rank, heads * head_dim, bias=False)
        self.k_proj = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.o_a_proj = nn.Linear(heads * head_dim, o_lora_rank, bias=False)
        self.o_b_proj = nn.Linear(o_lora_rank, dim, bias=False)
        self.q_norm = nn.RMSNorm(head_dim, eps=norm_eps)
        self.k_norm = nn.RMSNorm(head_dim, eps=norm_eps)
        self.derf = DerfAttention(heads=heads) if derf else None

    def forward(self, hidden_states: Tensor, inputs: AttentionInputs) -> Tensor:
        """Map normed rows [B, T, D] to [B, T or logits_to_keep, D].

        Row t depends on rows 0 … t and on the KV cache.
        """
        query_rows, query_rope, attn_mask = inputs.query_rows(hidden_states)
        heads = (-1, self.head_dim)
        query = self.q_b_proj(self.q_a_norm(self.q_a_proj(query_rows))).unflatten(-1, heads)
        query = apply_rope_last(self.q_norm(query).transpose(1, 2), *query_rope)  # [B, H, T, K]
        key = self.k_norm(self.k_proj(hidden_states).unflatten(-1, heads)).transpose(1, 2)
        key = apply_rope_last(key, *inputs.rope)  # [B, G, T, K]
        own_value = self.v_proj(hidden_states).unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        value = own_value
        if inputs.update_kv is not None:
            key, value = inputs.update_kv(key, value)  # [B, G, N, K]
        attended = self._attend(query, key, value, attn_mask)
        if self.use_xsa:
            attended = remove_self_value(attended, last_rows(own_value, inputs.logits_to_keep))
        output: Tensor = self.o_b_proj(self.o_a_proj(attended.transpose(1, 2).flatten(2)))
        return output

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None
    ) -> Tensor:
        if self.derf is not None:
            attended: Tensor = self.derf(query, key, value, attn_mask)
            return attended
        # Shared heads are expanded here: enable_gqa's backward pass takes twice as long on CPUs.
        key, value = (_for_each_query_head(x, query.shape[1]) for x in (key, value))
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=attn_mask is None
        )


def _for_each_query_head(heads: Tensor, count: int) -> Tensor:
    """Return [B, H, N, K] of [B, G, N, K], each head for H / G; a view where G is 1."""
    group = count // heads.shape[1]
    return heads.unsqueeze(2).expand(-1, -1, group, -1, -1).flatten(1, 2)
