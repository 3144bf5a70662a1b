"""Decoder block of SpikeWhaleLM: attention and feed-forward network on the residual streams."""

import torch
from torch import Tensor, nn

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.attention_inputs import AttentionInputs
from ...layers.feed_forward import FeedForward
from ...layers.hyper_connections import Route, branch
from ...layers.mla import LatentAttention
from ...layers.moe import MoE
from ...layers.rms_norm import NORM_EPS
from ...layers.token_reinjection import reinject_tokens


class WhaleBlock(nn.Module):
    """Decoder block: latent attention, then SwiGLU or MoE, on the residual streams."""

    def __init__(self, config: ModelConfig, whale: SpikeWhaleConfig, layer: int) -> None:
        super().__init__()
        self.attn_norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.attn = LatentAttention(
            dim=config.dim,
            heads=config.heads,
            kv_heads=config.kv_heads,
            head_dim=config.head_dim,
            q_lora_rank=whale.q_lora_rank,
            o_lora_rank=whale.o_lora_rank,
            use_xsa=whale.use_xsa,
            derf=whale.use_derf,
            norm_eps=NORM_EPS,
        )
        self.ffn_norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.ffn: FeedForward | MoE
        if layer in whale.moe_layers:
            self.ffn = MoE(
                dim=config.dim,
                ffn_dim=config.ffn_dim,
                num_experts=whale.n_routed_experts,
                top_k=whale.num_experts_per_tok,
                num_shared=whale.n_shared_experts,
                routed_scaling_factor=whale.routed_scaling_factor,
                hash_routing=layer < whale.num_hash_layers,
            )
        else:
            self.ffn = FeedForward(dim=config.dim, ffn_dim=config.ffn_dim)
        self.token_gate = nn.Parameter(torch.zeros(())) if whale.use_value_embed else None

    def forward(
        self,
        streams: Tensor,
        routes: tuple[Route | None, Route | None],
        ids: Tensor,
        embedded_tokens: Tensor | None,
        inputs: AttentionInputs,
    ) -> Tensor:
        """Map the residual streams to the next, or to their last rows.

        Args:
            streams: [N, B, T, D], or one stream [B, T, D].
            routes: of attention and of the feed-forward network; None: one stream.
            ids: [B, T], for hash routing.
            embedded_tokens: embeddings [B, T, D], for layers that read them again.
            inputs: attention inputs that all layers share.
        """

        def attend(stream: Tensor) -> Tensor:
            if self.token_gate is not None and embedded_tokens is not None:
                stream = reinject_tokens(stream, embedded_tokens, self.token_gate)
            attended: Tensor = self.attn(self.attn_norm(stream), inputs)
            return attended

        def feed_forward(stream: Tensor) -> Tensor:
            normed = self.ffn_norm(stream)
            last_ids = (ids[:, -normed.shape[1] :],) if isinstance(self.ffn, MoE) else ()
            output: Tensor = self.ffn(normed, *last_ids)
            return output

        streams = branch(streams, routes[0], attend, inputs.logits_to_keep)
        return branch(streams, routes[1], feed_forward)
