"""Is one layer of SpikeWhaleLM: attention and feed-forward network, branches of the streams."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import (
    DerfAttention,
    Experts,
    FeedForward,
    Route,
    branch,
    embedding_again,
    exclude_own_value,
    rotate_last,
)
from .config import ModelConfig
from .spikewhale_config import SpikeWhaleConfig

NORM_EPS = 1e-6
# Takes in new keys and values [B, G, T, K], gives back all there are, [B, G, N, K].
Keep: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class WhaleAttention(nn.Module):
    """Attention whose queries and output pass through a narrow layer; keys and values do not.

    After multi-head latent attention (DeepSeek-V2, arXiv:2405.04434), which narrows keys and values
    instead; here these have few heads. Queries and keys are normed before they are turned.
    """

    def __init__(self, config: ModelConfig, whale: SpikeWhaleConfig) -> None:
        super().__init__()
        width, head_width, rank = config.width, config.head_width, whale.query_rank
        self.head_width, self.exclusive = head_width, whale.exclusive
        self.query_down = nn.Linear(width, rank, bias=False)
        self.query_down_norm = nn.RMSNorm(rank, eps=NORM_EPS)
        self.query_up = nn.Linear(rank, config.heads * head_width, bias=False)
        self.key = nn.Linear(width, config.kv_heads * head_width, bias=False)
        self.value = nn.Linear(width, config.kv_heads * head_width, bias=False)
        self.output_down = nn.Linear(config.heads * head_width, whale.output_rank, bias=False)
        self.output_up = nn.Linear(whale.output_rank, width, bias=False)
        self.query_norm = nn.RMSNorm(head_width, eps=NORM_EPS)
        self.key_norm = nn.RMSNorm(head_width, eps=NORM_EPS)
        self.derf = DerfAttention(heads=config.heads) if whale.derf else None

    def forward(
        self,
        normed: Tensor,
        tables: tuple[Tensor, Tensor],
        visible: Tensor | None,
        keep: Keep | None,
    ) -> Tensor:
        """Map [B, T, D] to [B, T, D]; row t depends on rows 0 … t and on what was kept.

        Args:
            normed: what the layer reads.
            tables: cosines and sines, [T, R] or [B, 1, T, R].
            visible: bool [B, 1, T, N], what each token may see; None: all before it, and N = T.
            keep: takes in keys and values and gives those before them, too.
        """
        shape = (normed.shape[0], normed.shape[1], -1, self.head_width)
        query = self.query_up(self.query_down_norm(self.query_down(normed))).view(shape)
        query = rotate_last(self.query_norm(query).transpose(1, 2), *tables)  # [B, H, T, K]
        key = self.key_norm(self.key(normed).view(shape)).transpose(1, 2)  # [B, G, T, K]
        key, own = rotate_last(key, *tables), self.value(normed).view(shape).transpose(1, 2)
        key, value = (key, own) if keep is None else keep(key, own)
        gathered = self._gather(query, key, value, visible)
        if self.exclusive:
            gathered = exclude_own_value(gathered, own)
        output: Tensor = self.output_up(self.output_down(gathered.transpose(1, 2).flatten(2)))
        return output

    def _gather(self, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        if self.derf is not None:
            gathered: Tensor = self.derf(query, key, value, visible)
            return gathered
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, is_causal=visible is None, enable_gqa=True
        )


class WhaleBlock(nn.Module):
    """One layer."""

    def __init__(self, config: ModelConfig, whale: SpikeWhaleConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.width, eps=NORM_EPS)
        self.attention = WhaleAttention(config, whale)
        self.feed_forward_norm = nn.RMSNorm(config.width, eps=NORM_EPS)
        self.feed_forward: FeedForward | Experts
        if layer in whale.expert_layers:
            self.feed_forward = Experts(
                width=config.width,
                mlp_width=config.mlp_width,
                experts=whale.experts,
                chosen=whale.experts_chosen,
                shared=whale.experts_shared,
                scale=whale.expert_scale,
                hashed=layer < whale.hashed_layers,
            )
        else:
            self.feed_forward = FeedForward(width=config.width, mlp_width=config.mlp_width)
        self.again = nn.Parameter(torch.zeros(())) if whale.embedding_again else None

    def forward(
        self,
        streams: Tensor,
        routes: tuple[Route | None, Route | None],
        tokens: Tensor | None,
        ids: Tensor,
        tables: tuple[Tensor, Tensor],
        visible: Tensor | None,
        keep: Keep | None = None,
    ) -> Tensor:
        """Map the streams [N, B, T, D], or the one stream [B, T, D], to the next.

        `tokens` are the ids' embeddings, for layers that read them again; the rest is as in
        attention.
        """

        def attend(stream: Tensor) -> Tensor:
            if self.again is not None and tokens is not None:
                stream = embedding_again(stream, tokens, self.again)
            gathered: Tensor = self.attention(self.attention_norm(stream), tables, visible, keep)
            return gathered

        def feed(stream: Tensor) -> Tensor:
            normed = self.feed_forward_norm(stream)
            if isinstance(self.feed_forward, Experts):
                chosen: Tensor = self.feed_forward(normed, ids)
                return chosen
            worked: Tensor = self.feed_forward(normed)
            return worked

        return branch(branch(streams, routes[0], attend), routes[1], feed)
