"""Decoder block of SpikeWhaleLM: branches of the residual streams."""

import torch
from torch import Tensor, nn

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.feed_forward import FeedForward
from ...layers.hyper_connections import Route, branch
from ...layers.masks import UpdateKV
from ...layers.mla import LatentAttention
from ...layers.moe import Experts
from ...layers.token_reinjection import embedding_again

NORM_EPS = 1e-6


class WhaleBlock(nn.Module):
    """Decoder block."""

    def __init__(self, config: ModelConfig, whale: SpikeWhaleConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.attention = LatentAttention(
            dim=config.dim,
            heads=config.heads,
            kv_heads=config.kv_heads,
            head_dim=config.head_dim,
            q_lora_rank=whale.q_lora_rank,
            o_lora_rank=whale.o_lora_rank,
            exclusive=whale.use_xsa,
            derf=whale.derf,
            norm_eps=NORM_EPS,
        )
        self.feed_forward_norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.feed_forward: FeedForward | Experts
        if layer in whale.expert_layers:
            self.feed_forward = Experts(
                dim=config.dim,
                ffn_dim=config.ffn_dim,
                experts=whale.n_routed_experts,
                chosen=whale.num_experts_per_tok,
                shared=whale.n_shared_experts,
                scale=whale.routed_scaling_factor,
                hashed=layer < whale.hashed_layers,
            )
        else:
            self.feed_forward = FeedForward(dim=config.dim, ffn_dim=config.ffn_dim)
        self.again = nn.Parameter(torch.zeros(())) if whale.embedding_again else None

    def forward(
        self,
        streams: Tensor,
        routes: tuple[Route | None, Route | None],
        tokens: Tensor | None,
        ids: Tensor,
        rope: tuple[Tensor, Tensor],
        attn_mask: Tensor | None,
        update_kv: UpdateKV | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map the streams [N, B, T, D], or the one stream [B, T, D], to the next.

        `tokens` are the ids' embeddings, for layers that read them again; `rope`, `attn_mask`,
        `update_kv` and `last` are as in attention.
        """

        def attend(stream: Tensor) -> Tensor:
            if self.again is not None and tokens is not None:
                stream = embedding_again(stream, tokens, self.again)
            normed = self.attention_norm(stream)
            gathered: Tensor = self.attention(normed, rope, attn_mask, update_kv, last)
            return gathered

        def feed(stream: Tensor) -> Tensor:
            normed = self.feed_forward_norm(stream)
            if isinstance(self.feed_forward, Experts):
                chosen: Tensor = self.feed_forward(normed, ids[:, -normed.shape[1] :])
                return chosen
            worked: Tensor = self.feed_forward(normed)
            return worked

        return branch(branch(streams, routes[0], attend, last), routes[1], feed)
