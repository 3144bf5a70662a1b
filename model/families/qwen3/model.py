"""Qwen3-shaped dense causal language model (arXiv:2505.09388).

Pre-norm with RMSNorm (arXiv:1910.07467), rotary positions, grouped-query attention with normed
queries and keys, SwiGLU, no biases, and one table for input and output where `tie_embeddings`.
"""

from functools import partial

import torch
from torch import Tensor, nn

from ...config.schema import ModelConfig
from ...layers.attention import Attention
from ...layers.document_masks import document_numbers
from ...layers.feed_forward import FeedForward
from ...layers.kv_cache import KVCache, extend_ids, new_kv_cache
from ...layers.masks import UpdateKV, attention_inputs, last_rows
from ...layers.rope import rope_cos_sin
from ...layers.softcap import softcap

NORM_EPS = 1e-6


class Block(nn.Module):
    """Decoder block: attention, then feed-forward network, each added to the residual stream."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.attention = Attention(
            dim=config.dim,
            heads=config.heads,
            kv_heads=config.kv_heads,
            head_dim=config.head_dim,
            norm_eps=NORM_EPS,
        )
        self.feed_forward_norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        self.feed_forward = FeedForward(dim=config.dim, ffn_dim=config.ffn_dim)

    def forward(
        self,
        stream: Tensor,
        rope: tuple[Tensor, Tensor],
        attn_mask: Tensor | None = None,
        update_kv: UpdateKV | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map the residual stream [B, T, D] to the next; the rest is as in attention."""
        gathered = self.attention(self.attention_norm(stream), rope, attn_mask, update_kv, last)
        stream = last_rows(stream, last) + gathered
        mixed: Tensor = stream + self.feed_forward(self.feed_forward_norm(stream))
        return mixed


class Transformer(nn.Module):
    """Dense transformer: token ids in, logits of the next token out."""

    cosines: Tensor
    sines: Tensor
    lookback = 0  # tokens before a window on which its embeddings depend

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocab_size, config.dim)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.dim, eps=NORM_EPS)
        tied = config.tie_embeddings
        self.head = None if tied else nn.Linear(config.dim, vocab_size, bias=False)
        for name, table in self.rotary().items():
            self.register_buffer(name, table, persistent=False)

    def rotary(self) -> dict[str, Tensor]:
        """Return the tables of all positions, by the names of the buffers that hold them."""
        config = self.config
        cosines, sines = rope_cos_sin(
            positions=config.context, head_dim=config.head_dim, base=config.rope_base
        )
        return {"cosines": cosines, "sines": sines}

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Map ids [B, T] (int64, T ≤ context) to logits [B, T, V]; row t predicts id t + 1.

        `attention_mask` [B, T], bool or 0/1, is false for padding, on any side.
        """
        return self.logits(self.backbone(ids, attention_mask=attention_mask))

    def backbone(
        self,
        ids: Tensor,
        before: Tensor | None = None,  # noqa: ARG002
        *,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map ids [B, T] to the normed residual stream [B, T, D] before the output layer.

        Args:
            ids: the new ones.
            before: ignored; this family looks back by attention alone.
            attention_mask: [B, T], 1 or true for tokens, 0 or false for padding; None: all tokens.
            cache: of the ids read before; is extended by the new ones.
            last: number of last rows to return; None: all.
        """
        time = ids.shape[1]
        rope, attn_mask = (self.cosines[:time], self.sines[:time]), None
        seen, seen_attention_mask = extend_ids(ids, None, attention_mask, cache)
        if seen_attention_mask is not None:
            documents = document_numbers(seen, attention_mask=seen_attention_mask)
            rope, attn_mask = attention_inputs(
                (self.cosines, self.sines), documents, seen_attention_mask, time
            )
        stream = self.embedding(ids)
        for layer, block in enumerate(self.blocks):
            update_kv = None if cache is None else partial(cache.extend, layer)
            wanted = last if layer == len(self.blocks) - 1 else None
            stream = block(stream, rope, attn_mask, update_kv, wanted)
        hidden_states: Tensor = self.norm(stream)
        return hidden_states

    def logits(self, hidden_states: Tensor) -> Tensor:
        """Map [..., D] to logits [..., V]."""
        weight = self.embedding.weight if self.head is None else self.head.weight
        logits = nn.functional.linear(hidden_states, weight)
        return softcap(logits, self.config.logit_softcap)

    def new_kv_cache(self, batch: int) -> KVCache:
        """Return an empty cache for `backbone`."""
        return new_kv_cache(
            layers=self.config.layers,
            batch=batch,
            kv_heads=self.config.kv_heads,
            context=self.config.context,
            head_dim=self.config.head_dim,
            like=self.embedding.weight,
        )


def build_transformer(
    config: ModelConfig,
    vocab_size: int,
    *,
    seed: int = 0,
    device: str = "cpu",
    init_weights: bool = True,
) -> Transformer:
    """Return a freshly initialised model in float32; equal seeds give equal bytes anywhere.

    On the device `meta` the model has shapes and no numbers. Without `init_weights` its weights
    must be replaced.
    """
    # The constructors of torch use random numbers; the global generator must not change.
    with torch.random.fork_rng(devices=[]), torch.device("meta" if device == "meta" else "cpu"):
        model = Transformer(config, vocab_size)
    if init_weights and device != "meta":
        init_transformer_weights(model, seed)
    return model.to(device)


@torch.no_grad()
def init_transformer_weights(model: Transformer, seed: int) -> None:
    """Initialise the weights; residual branches end in zeros, so each block starts as identity.

    Tables have a deviation of 0.02, other matrices 0.5 / √columns, which about keeps the size of
    their input; norms start at one.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter.fill_(1.0)
        elif name.endswith(("attention.output.weight", "feed_forward.down.weight")):
            parameter.zero_()
        elif name.startswith("blocks."):
            parameter.normal_(0.0, 0.5 * parameter.shape[1] ** -0.5, generator=generator)
        else:
            parameter.normal_(0.0, 0.02, generator=generator)


def count_parameters(model: nn.Module) -> int:
    """Return the number of weights; a shared table counts once."""
    return sum(parameter.numel() for parameter in model.parameters())


def flops_per_token(model: Transformer) -> int:
    """Return the floating-point operations to train on one token: 6 N + 12 L (H K) T.

    The convention of PaLM (arXiv:2204.02311, appendix B): N counts every weight that multiplies,
    the output table included and an untied input table not; attention counts in full although
    the causal half would do; recomputation does not count.
    """
    config = model.config
    multiplied = count_parameters(model)
    if model.head is not None:
        multiplied -= model.embedding.weight.numel()
    attention = config.layers * config.heads * config.head_dim * config.context
    return 6 * multiplied + 12 * attention
