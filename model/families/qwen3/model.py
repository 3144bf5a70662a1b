"""Qwen3-shaped dense causal language model (arXiv:2505.09388).

Pre-norm with RMSNorm (arXiv:1910.07467), RoPE, grouped-query attention with QK-norm, SwiGLU, no
biases, and one table for input and output where `tie_embeddings`. The names of the weights are
those of `Qwen3ForCausalLM`.
"""

from functools import partial

import torch
from torch import Tensor, nn

from ...config.schema import ModelConfig
from ...layers.attention import Attention
from ...layers.attention_inputs import AttentionInputs, last_rows, padded_inputs
from ...layers.attention_mask import document_ids
from ...layers.feed_forward import FeedForward
from ...layers.kv_cache import KVCache, extend_ids
from ...layers.rms_norm import NORM_EPS
from ...layers.rope import rope_cos_sin
from ..language_model import Backbone, LanguageModel
from ..parameter_roles import role_of


class Qwen3Block(nn.Module):
    """Decoder block: attention, then feed-forward network, each added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.self_attn = Attention(
            dim=config.dim,
            heads=config.heads,
            kv_heads=config.kv_heads,
            head_dim=config.head_dim,
            norm_eps=NORM_EPS,
        )
        self.post_attention_layernorm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.mlp = FeedForward(dim=config.dim, ffn_dim=config.ffn_dim)

    def forward(self, stream: Tensor, inputs: AttentionInputs) -> Tensor:
        """Map the residual stream [B, T, D] to the next, or to its last rows."""
        attended = self.self_attn(self.input_layernorm(stream), inputs)
        stream = last_rows(stream, inputs.logits_to_keep) + attended
        next_stream: Tensor = stream + self.mlp(self.post_attention_layernorm(stream))
        return next_stream


class Qwen3Backbone(Backbone):
    """Qwen3 backbone: embedding, decoder layers and a norm."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__(config, vocab_size)
        self.layers = nn.ModuleList(Qwen3Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.register_rope_tables()

    def rope_tables(self) -> dict[str, Tensor]:
        """Return cosines and sines [context, K], by the names of their buffers."""
        config = self.config
        cosines, sines = rope_cos_sin(
            positions=config.context, head_dim=config.head_dim, base=config.rope_base
        )
        return {"cosines": cosines, "sines": sines}

    def forward(
        self,
        ids: Tensor,
        prefix_ids: Tensor | None = None,
        *,
        attention_mask: Tensor | None = None,
        kv_cache: KVCache | None = None,
        logits_to_keep: int | None = None,
    ) -> Tensor:
        """Map ids [B, T] to normed hidden states [B, T, D].

        Args:
            ids: int64 [B, T].
            prefix_ids: not used: embeddings do not look back.
            attention_mask: [B, T], false for padding; None: no padding.
            kv_cache: of the ids read before; is extended.
            logits_to_keep: number of last rows to return; None: all.
        """
        del prefix_ids
        time = ids.shape[1]
        all_ids, mask = extend_ids(ids, None, attention_mask, kv_cache)
        inputs = AttentionInputs((self.cosines[:time], self.sines[:time]))
        if mask is not None:
            documents = document_ids(all_ids, attention_mask=mask)
            inputs = AttentionInputs(
                *padded_inputs((self.cosines, self.sines), documents, mask, time)
            )
        stream = self.embed_tokens(ids)  # [B, T, D]
        for number, layer in enumerate(self.layers):
            stream = layer(
                stream,
                inputs._replace(
                    update_kv=None if kv_cache is None else partial(kv_cache.extend, number),
                    # Only the last layer may drop rows: the others need all keys and values.
                    logits_to_keep=logits_to_keep if number == len(self.layers) - 1 else None,
                ),
            )
        hidden_states: Tensor = self.norm(stream)
        return hidden_states


class Qwen3(LanguageModel):
    """Qwen3-shaped language model."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__(Qwen3Backbone(config, vocab_size))

    @torch.no_grad()
    def init_weights(self, seed: int) -> None:
        """Initialise the weights; residual branches end in zeros, so each block is the identity.

        Tables have a standard deviation of 0.02. Other matrices have 0.5 / √columns, which about
        preserves the scale of their input. Gains of norms are one.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            role = role_of(name)
            if parameter.ndim == 1:
                parameter.fill_(1.0)
            elif role.residual_output:
                parameter.zero_()
            elif role.param_group == "matrix":
                parameter.normal_(0.0, 0.5 * parameter.shape[1] ** -0.5, generator=generator)
            else:
                parameter.normal_(0.0, 0.02, generator=generator)

    def flops_per_token(self) -> int:
        """Return the floating-point operations to train on one token: 6 N + 12 L (H K) T.

        The convention of PaLM (arXiv:2204.02311, appendix B): N counts every weight that
        multiplies, with the output table and without an untied input table. Attention counts in
        full although it is causal. Recomputation does not count.
        """
        config = self.config
        multiplied = sum(parameter.numel() for parameter in self.parameters())
        if self.lm_head is not None:
            multiplied -= self.model.embed_tokens.weight.numel()
        attention = config.layers * config.heads * config.head_dim * config.context
        return 6 * multiplied + 12 * attention
