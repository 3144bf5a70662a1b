"""Decoder block of the golf family."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import GolfConfig, ModelConfig
from ...layers.leaky_relu_squared import LeakyReLUSquaredMLP
from ...layers.masks import UpdateKV, last_rows, mask_of_last
from ...layers.partial_rope import apply_rope_first
from ...layers.qk_norm import qk_norm
from ...layers.residual import ResidualBranches
from ...layers.rms_norm import depth_scale
from ...layers.value_residual import ValueResidual
from ...layers.x0_mix import ResidualMix
from ...layers.xsa import remove_self_value


class GolfAttention(nn.Module):
    """Grouped-query attention with partial rotary positions, and the changes of values."""

    def __init__(self, config: ModelConfig, golf: GolfConfig, layer: int) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.exclusive = layer >= config.layers - golf.xsa_last_n
        q_dim, kv_dim = (n * config.head_dim for n in (config.heads, config.kv_heads))
        self.query = nn.Linear(config.dim, q_dim, bias=False)
        self.key = nn.Linear(config.dim, kv_dim, bias=False)
        self.value = nn.Linear(config.dim, kv_dim, bias=False)
        self.output = nn.Linear(q_dim, config.dim, bias=False)
        self.gain = nn.Parameter(torch.full((config.heads,), golf.qk_gain_init))
        self.value_residual = ValueResidual() if golf.value_residual and layer else None

    def forward(
        self,
        normed: Tensor,
        rope: tuple[Tensor, Tensor],
        attn_mask: Tensor | None,
        update_kv: UpdateKV | None,
        added: Tensor | None,
        first_value: list[Tensor],
        last: int | None = None,
    ) -> Tensor:
        """Map [B, T, D] to [B, T or last, D]; row t depends on rows 0 … t and on the cache.

        Args:
            normed: input of the layer.
            rope: cosines and sines, [T, R] or [B, 1, T, R].
            attn_mask: bool [B, 1, T, N], what each row may see; None: all before it, and N = T.
            update_kv: appends keys and values to the cache and returns all of them.
            added: value embedding to add to the values, [B, T, G · K]; None: none.
            first_value: the first layer's values, [B, G, T, K]; the first layer appends them.
            last: number of last rows to return; None: all.
        """
        asking, attn_mask = last_rows(normed, last), mask_of_last(attn_mask, normed, last)
        heads = (-1, self.head_dim)
        query = self.query(asking).unflatten(-1, heads).transpose(1, 2)  # [B, H, T, K]
        key = self.key(normed).unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        value = self.value(normed) if added is None else self.value(normed) + added
        value = value.unflatten(-1, heads).transpose(1, 2)  # [B, G, T, K]
        if not first_value:
            first_value.append(value)
        elif self.value_residual is not None:
            value = self.value_residual(value, first_value[0])
        query, key = qk_norm(query, key, self.gain)
        query = apply_rope_first(query, *(last_rows(table, last) for table in rope))
        key, own = apply_rope_first(key, *rope), last_rows(value, last)
        if update_kv is not None:
            key, value = update_kv(key, value)
        gathered = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attn_mask, is_causal=attn_mask is None, enable_gqa=True
        )
        if self.exclusive:
            gathered = remove_self_value(gathered, own)
        output: Tensor = self.output(gathered.transpose(1, 2).flatten(2))
        return output


class GolfBlock(nn.Module):
    """Decoder block: the first embedding mixed in, then attention and feed-forward network."""

    def __init__(self, config: ModelConfig, golf: GolfConfig, layer: int) -> None:
        super().__init__()
        self.mix = ResidualMix(dim=config.dim) if golf.x0_mix else None
        self.attention = GolfAttention(config, golf, layer)
        self.feed_forward = LeakyReLUSquaredMLP(
            dim=config.dim, ffn_dim=config.ffn_dim, slope=golf.leaky_relu_slope
        )
        self.branches = ResidualBranches(
            dim=config.dim,
            parallel=layer >= config.layers - golf.parallel_residual_last_n,
            scale=depth_scale(layer) if golf.ln_scale else 1.0,
        )

    def forward(
        self,
        stream: Tensor,
        embedded: Tensor,
        rope: tuple[Tensor, Tensor],
        attn_mask: Tensor | None,
        update_kv: UpdateKV | None,
        added: Tensor | None,
        first_value: list[Tensor],
        last: int | None = None,
    ) -> Tensor:
        """Map the stream [B, T, D] to the next; `embedded` is the stream before all layers.

        The rest is as in attention.
        """
        if self.mix is not None:
            stream = self.mix(stream, embedded)
        next_stream: Tensor = self.branches(
            stream,
            lambda normed: self.attention(
                normed, rope, attn_mask, update_kv, added, first_value, last
            ),
            self.feed_forward,
            last,
        )
        return next_stream
