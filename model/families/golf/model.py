"""Golf transformer: the three parameter-golf records as presets of one model.

The models of three records of openai/parameter-golf (PRs #1666, #851 and #352) are presets of this
one model. Norms have no gain and no layer has biases. `training/muon.py` updates matrices of one
shape together, which the records call parameter banks.

A model is in training mode only during a step; otherwise memory tokens precede the text and layers
loop. Embeddings look back over up to two tokens. In evaluation the caller passes the tokens before
a window, so that the embeddings of windows equal those of one long pass.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import GolfConfig, ModelConfig
from ...layers.bigram_embedding import BigramEmbedding
from ...layers.depth_recurrence import layer_order
from ...layers.document_masks import document_numbers
from ...layers.kv_cache import KVCache, extend_ids, new_kv_cache
from ...layers.masks import attention_inputs
from ...layers.memory_tokens import MemoryTokens
from ...layers.mtp import MTPHeads
from ...layers.partial_rope import ntk_scaled_base
from ...layers.rms_norm import scaled_norm
from ...layers.rope import rope_cos_sin
from ...layers.smear_gate import SmearGate
from ...layers.softcap import softcap
from ...layers.unet_skips import UNetSkips
from ...layers.value_embedding import ValueEmbedding
from ..initialization import per_parameter_generator
from .block import GolfBlock


class GolfTransformer(nn.Module):
    """Golf transformer: token ids in, logits of the next token out."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: ModelConfig, golf: GolfConfig, vocab_size: int, eos_id: int) -> None:
        super().__init__()
        self.config, self.golf, self.eos_id = config, golf, eos_id
        self.lookback = int(golf.bigram_vocab_size > 0) + int(golf.smear_gate)
        self.looping = False  # whether layers loop in training, too
        dim, layers = config.dim, config.layers
        self.embedding = nn.Embedding(vocab_size, dim)
        self.bigram = (
            BigramEmbedding(
                rows=golf.bigram_vocab_size,
                table_dim=golf.bigram_dim,
                dim=dim,
                eos_id=eos_id,
            )
            if golf.bigram_vocab_size
            else None
        )
        self.smear = SmearGate(dim=dim) if golf.smear_gate else None
        self.memory = (
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
        self.blocks = nn.ModuleList(GolfBlock(config, golf, layer) for layer in range(layers))
        self.skips = UNetSkips(layers=layers, dim=dim) if golf.unet_skips else None
        self.ahead = (
            MTPHeads(heads=golf.mtp_num_heads, dim=dim, vocab_size=vocab_size)
            if golf.mtp_num_heads
            else None
        )
        self.orders = [layer_order(layers, golf.recur_layers, n) for n in (1, golf.num_loops)]
        for name, table in self.rotary().items():
            self.register_buffer(name, table, persistent=False)

    def rotary(self) -> dict[str, Tensor]:
        """Return the tables of all positions, by the names of the buffers that hold them."""
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

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Map ids [B, T] (int64, T ≤ context) to logits [B, T, V]; row t predicts id t + 1.

        `attention_mask` [B, T], bool or 0/1, is false for padding, on any side.
        """
        return self.logits(self.backbone(ids, attention_mask=attention_mask))

    def backbone(
        self,
        ids: Tensor,
        before: Tensor | None = None,
        *,
        attention_mask: Tensor | None = None,
        cache: KVCache | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map ids [B, T] to the normed stream [B, T, D] before the output layer.

        Args:
            ids: in training mode the first M rows, those of the memory, predict nothing of use.
            before: the `lookback` ids before them [B, lookback], or as many as there are; None
                for none. Separators may pad ids that a text does not have.
            attention_mask: [B, T], 1 or true for tokens, 0 or false for padding; None: all tokens.
            cache: of the ids read before; is extended by `before` and `ids`. For evaluation mode.
            last: number of last rows to return; None: all of the ids'.
        """
        seen, seen_attention_mask = extend_ids(ids, before, attention_mask, cache)
        time = ids.shape[1]
        embedded = self.embed(seen, seen_attention_mask, time)
        if self.memory is not None and (cache is None or cache.length == time):
            place = self.memory.overwrite if self.training else self.memory.prepend
            embedded = place(embedded)
        rows = embedded.shape[1]
        rope, attn_mask = (self.cosines[:rows], self.sines[:rows]), None
        if seen_attention_mask is not None:
            shown = seen_attention_mask[:, -(time if cache is None else cache.length) :]
            rope, attn_mask = self._attention_inputs(shown, rows)
        added = self._value_additions(ids, rows)
        first_value: list[Tensor] = []
        pushed: list[Tensor] = []
        stream = embedded
        order = self.orders[self.looping or not self.training]
        for run, (layer, first_time) in enumerate(order):
            if self.skips is not None and first_time:
                stream = self.skips.add(stream, layer, pushed)
            update_kv = None if cache is None else partial(cache.extend, run)
            wanted = last if run == len(order) - 1 else None
            attended = (rope, attn_mask, update_kv, added.get(layer), first_value, wanted)
            stream = self.blocks[layer](stream, embedded, *attended)
            if self.skips is not None and first_time:
                self.skips.push(stream, layer, pushed)
        return scaled_norm(stream[:, -(last or time) :], 1.0)

    def embed(self, seen: Tensor, attention_mask: Tensor | None, time: int) -> Tensor:
        """Map the last `time` of ids [B, N] to [B, time, D]; the earlier ids are for the look-back.

        Memory tokens are not among them; `attention_mask` is false for padding, None: nowhere.
        """
        window = slice(-(time + self.lookback), None)
        seen, attention_mask = (
            seen[:, window],
            None if attention_mask is None else attention_mask[:, window],
        )
        stream: Tensor = self.embedding(seen)
        if self.bigram is not None:
            stream = stream + self.bigram(seen, attention_mask)
        stream = scaled_norm(stream, 1.0)
        if attention_mask is not None:
            stream = stream * attention_mask.unsqueeze(-1)
        if self.smear is not None:
            stream = self.smear(stream, seen == self.eos_id)
        return stream[:, -time:]

    def _attention_inputs(
        self, attention_mask: Tensor, rows: int
    ) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Return rotary tables and mask of the last `rows` rows; the memory's are first."""
        memory = self.golf.memory_tokens
        attention_mask = functional.pad(
            attention_mask[:, memory if self.training else 0 :], (memory, 0), value=True
        )
        documents = document_numbers(attention_mask.long(), attention_mask=attention_mask)
        return attention_inputs((self.cosines, self.sines), documents, attention_mask, rows)

    def _value_additions(self, ids: Tensor, rows: int) -> dict[int, Tensor]:
        """Return the value embedding of each layer, with zeros for memory tokens."""
        if self.value_embedding is None:
            return {}
        shown = ids[:, self.golf.memory_tokens :] if self.training else ids
        first = self.config.layers - self.golf.ve_last_n
        additions: list[Tensor] = self.value_embedding(shown)
        return {
            layer: functional.pad(added, (0, 0, rows - shown.shape[1], 0))
            for layer, added in enumerate(additions, first)
        }

    def new_kv_cache(self, batch: int) -> KVCache:
        """Return an empty cache for `backbone`."""
        return new_kv_cache(
            layers=len(self.orders[1]),
            batch=batch,
            kv_heads=self.config.kv_heads,
            context=self.config.context,
            head_dim=self.config.head_dim,
            like=self.embedding.weight,
            memory=self.golf.memory_tokens,
            lookback=self.lookback,
        )

    def logits(self, hidden_states: Tensor) -> Tensor:
        """Map [..., D] to logits [..., V]."""
        logits: Tensor = functional.linear(hidden_states, self.embedding.weight)
        return softcap(logits, self.config.logit_softcap)


@torch.no_grad()
def init_golf_weights(model: GolfTransformer, seed: int) -> None:
    """Initialise the weights as the records did; vectors start as their blocks made them.

    Matrices are orthogonal, but last projections of residual branches and MTP heads are zero. The
    embedding has a deviation of 0.005, the value embedding's table 0.01, memory 0.02; the bigram
    table is zero. Each parameter has its own random generator.
    """
    deviations = {"embedding": 0.005, "value_embedding.table": 0.01, "memory": 0.02}
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        generator = per_parameter_generator(seed, name)
        if owner in deviations:
            parameter.normal_(0.0, deviations[owner], generator=generator)
        elif owner.endswith(("output", "down", "bigram.table")) or owner.startswith("ahead"):
            parameter.zero_()
        elif owner.endswith("projection"):
            nn.init.orthogonal_(parameter, gain=model.golf.projection_gain, generator=generator)
        elif parameter.ndim == 2 and owner.startswith("blocks"):
            nn.init.orthogonal_(parameter, generator=generator)


def golf_flops_per_token(model: GolfTransformer) -> int:
    """Return the floating-point operations to train on one token once layers loop.

    6 × every weight that multiplies, as often as it does, and 12 × layers run × H × K × T; tables
    that are looked up do not count, except the embedding once, as the output layer.
    """
    config, order = model.config, model.orders[1]
    multiplying = [model.blocks[layer] for layer, _ in order]
    weights = sum(p.numel() for block in multiplying for p in block.parameters() if p.ndim == 2)
    weights += model.embedding.weight.numel()
    if model.bigram is not None:
        weights += model.bigram.projection.weight.numel()
    if model.value_embedding is not None:
        weights += model.value_embedding.projection.weight.numel()
    if model.ahead is not None:
        weights += sum(p.numel() for p in model.ahead.parameters())
    attention = len(order) * config.heads * config.head_dim * config.context
    return 6 * weights + 12 * attention
