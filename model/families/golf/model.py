"""Golf transformer: the models of three openai/parameter-golf records.

The records (PRs #1666, #851 and #352) are presets of this one model. Norms have no gain and no
layer has biases. `training/muon.py` updates matrices of one shape together, which the records call
parameter banks.

A model is in training mode only during a step. Otherwise memory tokens precede the text and layers
loop. Embeddings read up to two tokens before. In evaluation the caller passes the tokens before a
window, so that the embeddings of windows equal those of one long pass.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import GolfConfig, ModelConfig
from ...layers.attention_inputs import AttentionInputs, padded_inputs
from ...layers.attention_mask import document_ids
from ...layers.bigram_embedding import BigramEmbedding
from ...layers.depth_recurrence import layer_order
from ...layers.kv_cache import KVCache, extend_ids
from ...layers.memory_tokens import MemoryTokens
from ...layers.mtp import IGNORE_INDEX, MTPHeads
from ...layers.partial_rope import ntk_scaled_base
from ...layers.rms_norm import scaled_norm
from ...layers.rope import rope_cos_sin
from ...layers.smear_gate import SmearGate
from ...layers.softcap import softcap
from ...layers.unet_skips import UNetSkips
from ...layers.value_embedding import ValueEmbedding
from ..initialization import per_parameter_generator
from ..language_model import Backbone, LanguageModel, LossRows
from ..parameter_roles import role_of
from .block import GolfBlock


class GolfBackbone(Backbone):
    """Golf backbone: embeddings, decoder layers of which some loop, and a norm without gain."""

    def __init__(self, config: ModelConfig, golf: GolfConfig, vocab_size: int, eos_id: int) -> None:
        super().__init__(config, vocab_size)
        self.golf, self.eos_id = golf, eos_id
        self.lookback = int(golf.bigram_vocab_size > 0) + int(golf.smear_gate)
        self.num_memory_tokens = golf.memory_tokens
        self.looping = False  # whether layers loop in training, too
        dim, layers = config.dim, config.layers
        self.bigram_embedding = (
            BigramEmbedding(
                rows=golf.bigram_vocab_size, table_dim=golf.bigram_dim, dim=dim, eos_id=eos_id
            )
            if golf.bigram_vocab_size
            else None
        )
        self.smear_gate = SmearGate(dim=dim) if golf.smear_gate else None
        self.memory_tokens = (
            MemoryTokens(count=golf.memory_tokens, dim=dim) if golf.memory_tokens else None
        )
        self.value_embedding = (
            ValueEmbedding(
                vocab_size=vocab_size,
                table_dim=golf.ve_dim,
                kv_dim=config.kv_heads * config.head_dim,
                layers=golf.ve_last_n,
            )
            if golf.ve_last_n
            else None
        )
        self.layers = nn.ModuleList(GolfBlock(config, golf, layer) for layer in range(layers))
        self.unet_skips = UNetSkips(layers=layers, dim=dim) if golf.unet_skips else None
        self.orders = [layer_order(layers, golf.recur_layers, n) for n in (1, golf.num_loops)]
        self.register_rope_tables()

    def rope_tables(self) -> dict[str, Tensor]:
        """Return cosines and sines [memory tokens + context, R], by the names of their buffers."""
        config, golf = self.config, self.golf
        rope_dims = golf.rope_dims or config.head_dim
        cosines, sines = rope_cos_sin(
            positions=golf.memory_tokens + config.context,
            head_dim=rope_dims,
            base=ntk_scaled_base(
                config.rope_base,
                length=config.context,
                base_length=golf.original_context,
                rope_dims=rope_dims,
            ),
        )
        return {"cosines": cosines, "sines": sines}

    @property
    def cached_layers(self) -> int:
        """Number of layers that run, each with its own keys and values."""
        return len(self.orders[1])

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

        In training mode the first M rows are those of memory tokens and predict nothing.

        Args:
            ids: int64 [B, T].
            prefix_ids: up to `lookback` ids before them, [B, P], for the embeddings.
            attention_mask: [B, T], false for padding; None: no padding.
            kv_cache: of the ids read before; is extended.
            logits_to_keep: number of last rows to return; None: all.
        """
        all_ids, mask = extend_ids(ids, prefix_ids, attention_mask, kv_cache)
        time = ids.shape[1]
        embedded = self.embed(all_ids, mask, time)
        if self.memory_tokens is not None and (kv_cache is None or kv_cache.length == time):
            memory = self.memory_tokens
            embedded = memory.overwrite(embedded) if self.training else memory.prepend(embedded)
        rows = embedded.shape[1]  # T, or M + T where memory tokens precede the text
        inputs = AttentionInputs((self.cosines[:rows], self.sines[:rows]))
        if mask is not None:
            attended = mask[:, -(time if kv_cache is None else kv_cache.length) :]
            inputs = self._padded_inputs(attended, rows)
        value_embeddings = self._value_embeddings(ids, rows)
        first_value: list[Tensor] = []
        pushed: list[Tensor] = []
        stream = embedded
        order = self.orders[self.looping or not self.training]
        for run, (layer, first_time) in enumerate(order):
            if self.unet_skips is not None and first_time:
                stream = self.unet_skips.pop(stream, layer, pushed)
            inputs = inputs._replace(
                update_kv=None if kv_cache is None else partial(kv_cache.extend, run),
                # Only the last layer may drop rows: the others need all keys and values.
                logits_to_keep=logits_to_keep if run == len(order) - 1 else None,
            )
            value_embedding = value_embeddings.get(layer)
            stream = self.layers[layer](stream, embedded, inputs, value_embedding, first_value)
            if self.unet_skips is not None and first_time:
                self.unet_skips.push(stream, layer, pushed)
        return scaled_norm(stream[:, -(logits_to_keep or time) :], 1.0)

    def embed(self, ids: Tensor, attention_mask: Tensor | None, time: int) -> Tensor:
        """Map the last `time` of ids [B, N] to [B, time, D]; the earlier ids are for the look-back.

        `attention_mask` [B, N] is false for padding; None: no padding.
        """
        window = slice(-(time + self.lookback), None)
        ids = ids[:, window]
        attention_mask = None if attention_mask is None else attention_mask[:, window]
        stream: Tensor = self.embed_tokens(ids)
        if self.bigram_embedding is not None:
            stream = stream + self.bigram_embedding(ids, attention_mask)
        stream = scaled_norm(stream, 1.0)
        if attention_mask is not None:
            stream = stream * attention_mask.unsqueeze(-1)
        if self.smear_gate is not None:
            stream = self.smear_gate(stream, ids == self.eos_id)
        return stream[:, -time:]

    def _padded_inputs(self, attention_mask: Tensor, rows: int) -> AttentionInputs:
        """Return RoPE tables and mask of the last `rows` rows; memory tokens are first."""
        memory = self.num_memory_tokens
        attention_mask = functional.pad(
            attention_mask[:, memory if self.training else 0 :], (memory, 0), value=True
        )
        documents = document_ids(attention_mask.long(), attention_mask=attention_mask)
        tables = (self.cosines, self.sines)
        return AttentionInputs(*padded_inputs(tables, documents, attention_mask, rows))

    def _value_embeddings(self, ids: Tensor, rows: int) -> dict[int, Tensor]:
        """Return the value embedding [B, rows, G · K] of each layer; zeros for memory tokens."""
        if self.value_embedding is None:
            return {}
        text = ids[:, self.num_memory_tokens :] if self.training else ids
        first = self.config.layers - self.golf.ve_last_n
        embeddings: list[Tensor] = self.value_embedding(text)
        return {
            layer: functional.pad(embedding, (0, 0, rows - text.shape[1], 0))
            for layer, embedding in enumerate(embeddings, first)
        }


class GolfTransformer(LanguageModel):
    """Golf transformer, with multi-token prediction heads for training."""

    model: GolfBackbone

    def __init__(self, config: ModelConfig, golf: GolfConfig, vocab_size: int, eos_id: int) -> None:
        super().__init__(GolfBackbone(config, golf, vocab_size, eos_id))
        self.golf = golf
        self.future_targets = golf.mtp_num_heads
        self.mtp_scale = 1.0  # the weight of the MTP loss follows the learning rates
        self.mtp_heads = (
            MTPHeads(heads=golf.mtp_num_heads, dim=config.dim, vocab_size=vocab_size)
            if golf.mtp_num_heads
            else None
        )

    @torch.no_grad()
    def init_weights(self, seed: int) -> None:
        """Initialise the weights as the records did; vectors keep their constructors' values.

        Matrices are orthogonal, but last projections of residual branches and MTP heads are zero.
        The embedding has a standard deviation of 0.005, the value embedding's table 0.01, memory
        tokens 0.02. The bigram table is zero. Each parameter has its own random generator.
        """
        deviations = {
            "model.embed_tokens.weight": 0.005,
            "model.value_embedding.table.weight": 0.01,
            "model.memory_tokens.rows": 0.02,
        }
        for name, parameter in self.named_parameters():
            role, generator = role_of(name), per_parameter_generator(seed, name)
            if name in deviations:
                parameter.normal_(0.0, deviations[name], generator=generator)
            elif role.residual_output or role.training_only or name.endswith("table.weight"):
                parameter.zero_()
            elif role.quantization == "other":  # the projections of the small tables
                gain = self.golf.projection_gain
                nn.init.orthogonal_(parameter, gain=gain, generator=generator)
            elif role.param_group == "matrix":
                nn.init.orthogonal_(parameter, generator=generator)

    def flops_per_token(self) -> int:
        """Return the floating-point operations to train on one token once layers loop.

        6 × every weight for each time that it multiplies + 12 × layers run × H × K × T. Tables do
        not count, except the embedding once, as the output layer.
        """
        config, order, model = self.config, self.model.orders[1], self.model
        multiplying = [model.layers[layer] for layer, _ in order]
        weights = sum(p.numel() for block in multiplying for p in block.parameters() if p.ndim == 2)
        weights += model.embed_tokens.weight.numel()
        if model.bigram_embedding is not None:
            weights += model.bigram_embedding.proj.weight.numel()
        if model.value_embedding is not None:
            weights += model.value_embedding.proj.weight.numel()
        if self.mtp_heads is not None:
            weights += sum(p.numel() for p in self.mtp_heads.parameters())
        attention = len(order) * config.heads * config.head_dim * config.context
        return 6 * weights + 12 * attention

    def progress_changes(self) -> tuple[float, ...]:
        """Return the share of the training after which layers loop."""
        return (self.golf.recur_start,)

    def set_progress(self, progress: float, lr_scale: float) -> None:
        """Loop layers from `recur_start` on, and scale the MTP loss with the learning rates."""
        self.model.looping = progress >= self.golf.recur_start
        self.mtp_scale = lr_scale

    def auxiliary_losses(self, rows: LossRows) -> Iterator[tuple[str, float, Tensor]]:
        """Yield the cross-entropies [n] of each MTP head."""
        if self.mtp_heads is None:
            return
        weight = self.golf.mtp_loss_weight * self.mtp_scale / len(self.mtp_heads)
        heads = self.mtp_heads(rows.hidden_states)
        for logits, targets in zip(heads, rows.targets.T[1:], strict=True):
            counted = targets != IGNORE_INDEX
            capped = softcap(logits[counted], self.config.logit_softcap)
            yield (
                "mtp_loss",
                weight,
                functional.cross_entropy(capped, targets[counted], reduction="none"),
            )
