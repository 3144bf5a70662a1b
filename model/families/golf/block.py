"""Decoder block of the golf family: attention with its options, and LeakyReLU²."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import GolfConfig, ModelConfig
from ...layers.attention_inputs import AttentionInputs, last_rows
from ...layers.leaky_relu_squared import LeakyReLUSquaredMLP
from ...layers.partial_rope import apply_rope_first
from ...layers.qk_norm import qk_norm
from ...layers.residual import ResidualBranches
from ...layers.rms_norm import depth_scale
from ...layers.value_residual import ValueResidual
from ...layers.x0_mix import ResidualMix
from ...layers.xsa import remove_self_value


class GolfAttention(nn.Module):
    """Grouped-query attention with partial RoPE, value embedding, value residual and XSA."""

    def __init__(self, config: ModelConfig, golf: GolfConfig, layer: int) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.use_xsa = layer >= config.layers - golf.xsa_last_n
        q_dim, kv_dim = (n * config.head_dim for n in (config.heads, config.kv_heads))
        self.q_proj = nn.Linear(config.dim, q_dim, bias=False)
        self.k_proj = nn.Linear(config.dim, kv_dim, bias=False)
        self.v_proj = nn.Linear(config.dim, kv_dim, bias=False)
        self.o_proj = nn.Linear(q_dim, config.dim, bias=False)
        self.q_gain = nn.Parameter(torch.full((config.heads,), golf.qk_gain_init))
        self.value_residual = ValueResidual() if golf.value_residual and layer else None

    def forward(
        self,
        hidden_states: Tensor,
        inputs: AttentionInputs,
        value_embedding: Tensor | None,
        first_value: list[Tensor],
    ) -> Tensor:
        """Map normed rows [B, T, D] to [B, T or logits_to_keep, D].

        Args:
            hidden_states: normed rows; row t of the result depends on rows 0 … t and on the cache.
            inputs: attention inputs that all layers share.
            value_embedding: [B, T, G · K], is added to the values; None: none.
            first_value: the first layer's values [B, G, T, K], once that layer has appended them.
        """
        query_rows, query_rope, attn_mask = inputs.query_rows(hidden_states)
        heads = (-1, self.head_dim)
        query = self.q_proj(query_rows).unflatten(-1, heads).transpose(1, 2)  # [B, H, T, K]
        key = self.k_proj(hidden_states).unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        value = self.v_proj(hidden_states)
        value = value if value_embedding is None else value + value_embedding
        value = value.unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        if not first_value:
            first_value.append(value)
        elif self.value_residual is not None:
            value = self.value_residual(value, first_value[0])
        query, key = qk_norm(query, key, self.q_gain)
        query, key = apply_rope_first(query, *query_rope), apply_rope_first(key, *inputs.rope)
        own_value = last_rows(value, inputs.logits_to_keep)
        if inputs.update_kv is not None:
            key, value = inputs.update_kv(key, value)  # [B, G, N, K]
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=attn_mask is None, enable_gqa=True
        )
        if self.use_xsa:
            attended = remove_self_value(attended, own_value)
        output: Tensor = self.o_proj(attended.transpose(1, 2).flatten(2))
        return output


class GolfBlock(nn.Module):
    """Decoder block: x0 mix, then attention and feed-forward network."""

    def __init__(self, config: ModelConfig, golf: GolfConfig, layer: int) -> None:
        super().__init__()
        self.x0_mix = ResidualMix(dim=config.dim) if golf.x0_mix else None
        self.self_attn = GolfAttention(config, golf, layer)
        self.mlp = LeakyReLUSquaredMLP(
            dim=config.dim, ffn_dim=config.ffn_dim, slope=golf.leaky_relu_slope
        )
        self.residual = ResidualBranches(
            dim=config.dim,
            parallel=layer >= config.layers - golf.parallel_residual_last_n,
            norm_scale=depth_scale(layer) if golf.ln_scale else 1.0,
        )

    def forward(
        self,
        stream: Tensor,
        embedded: Tensor,
        inputs: AttentionInputs,
        value_embedding: Tensor | None,
        first_value: list[Tensor],
    ) -> Tensor:
        """Map the residual stream [B, T, D] to the next, or to its last rows.

        Args:
            stream: residual stream.
            embedded: the first embedding, [B, T, D].
            inputs: attention inputs that all layers share.
            value_embedding: as in attention.
            first_value: as in attention.
        """
        if self.x0_mix is not None:
            stream = self.x0_mix(stream, embedded)
        next_stream: Tensor = self.residual(
            stream,
            lambda normed: self.self_attn(normed, inputs, value_embedding, first_value),
            self.mlp,
            inputs.logits_to_keep,
        )
        return next_stream
