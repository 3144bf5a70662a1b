"""Causal grouped-query attention with QK-norm.

Causal softmax attention (Vaswani et al. 2017, arXiv:1706.03762) in which groups of query heads
share a key and value head (Ainslie et al. 2023, arXiv:2305.13245), with normed queries and keys
(Henry et al. 2020, arXiv:2010.04245), which keeps the softmax from saturating.
"""

from torch import Tensor, nn
from torch.nn import functional

from .attention_inputs import AttentionInputs
from .rope import apply_rope


class Attention(nn.Module):
    """Grouped-query attention: four projections without biases, and torch's attention kernel."""

    def __init__(
        self, *, dim: int, heads: int, kv_heads: int, head_dim: int, norm_eps: float
    ) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.q_proj = nn.Linear(dim, heads * head_dim, bias=False)
        self.k_proj = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(heads * head_dim, dim, bias=False)
        self.q_norm = nn.RMSNorm(head_dim, eps=norm_eps)
        self.k_norm = nn.RMSNorm(head_dim, eps=norm_eps)

    def forward(self, hidden_states: Tensor, inputs: AttentionInputs) -> Tensor:
        """Map normed rows [B, T, D] to [B, T or logits_to_keep, D].

        Row t depends on rows 0 … t and on the KV cache.
        """
        query_rows, query_rope, attn_mask = inputs.query_rows(hidden_states)
        heads = (-1, self.head_dim)
        # Projections are split into heads of K numbers, then [B, T, H, K] → [B, H, T, K].
        query = self.q_norm(self.q_proj(query_rows).unflatten(-1, heads)).transpose(1, 2)
        key = self.k_norm(self.k_proj(hidden_states).unflatten(-1, heads)).transpose(1, 2)
        value = self.v_proj(hidden_states).unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        query, key = apply_rope(query, *query_rope), apply_rope(key, *inputs.rope)
        if inputs.update_kv is not None:
            key, value = inputs.update_kv(key, value)  # [B, G, N, K]
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=attn_mask is None, enable_gqa=True
        )
        output: Tensor = self.o_proj(attended.transpose(1, 2).flatten(2))  # from [B, T, H · K]
        return output
