"""Puts the blocks together for the golf family: many small ideas on one small transformer.

The models of three records of openai/parameter-golf (PRs #1666, #851 and #352) are presets of this
one assembly. Norms have no gain and nothing has biases; matrices of one shape move together in
`training/muon.py`, which is what the records call parameter banks.

A model is in training mode only while a step is taken; otherwise memory tokens stand before the
text and layers loop. Embeddings look back over up to two tokens. In evaluation the tokens before
a window are given along with it, so that windows embed as one long pass.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import GolfConfig, ModelConfig
from ...layers.bigram_embedding import BigramHash
from ...layers.depth_recurrence import layer_order
from ...layers.document_masks import document_numbers
from ...layers.kv_cache import DecodingCache, empty_cache, seen_so_far
from ...layers.masks import sight
from ...layers.memory_tokens import MemoryTokens
from ...layers.mtp import AheadHeads
from ...layers.partial_rope import stretched_base
from ...layers.rms_norm import scaled_norm
from ...layers.rope import rotary_tables
from ...layers.smear_gate import SmearGate
from ...layers.softcap import softcap
from ...layers.unet_skips import Skips
from ...layers.value_embedding import ValueEmbedding
from ..initialization import named_generator
from .block import GolfBlock


class GolfTransformer(nn.Module):
    """Token ids in, logits of the next token out."""

    cosines: Tensor
    sines: Tensor

    def __init__(
        self, config: ModelConfig, golf: GolfConfig, vocab_size: int, separator: int
    ) -> None:
        super().__init__()
        self.config, self.golf, self.separator = config, golf, separator
        self.look_back = int(golf.bigram_rows > 0) + int(golf.smear)
        self.looping = False  # whether layers loop in training, too
        width, layers = config.width, config.layers
        self.embedding = nn.Embedding(vocab_size, width)
        self.bigram = (
            BigramHash(
                rows=golf.bigram_rows,
                table_width=golf.bigram_width,
                width=width,
                separator=separator,
            )
            if golf.bigram_rows
            else None
        )
        self.smear = SmearGate(width=width) if golf.smear else None
        self.memory = (
            MemoryTokens(count=golf.memory_tokens, width=width) if golf.memory_tokens else None
        )
        self.value_embedding = (
            ValueEmbedding(
                vocab_size=vocab_size,
                table_width=golf.value_width,
                kv_width=config.kv_heads * config.head_width,
                layers=golf.value_layers,
            )
            if golf.value_layers
            else None
        )
        self.blocks = nn.ModuleList(GolfBlock(config, golf, layer) for layer in range(layers))
        self.skips = Skips(layers=layers, width=width) if golf.skips else None
        self.ahead = (
            AheadHeads(heads=golf.ahead_heads, width=width, vocab_size=vocab_size)
            if golf.ahead_heads
            else None
        )
        self.orders = [layer_order(layers, golf.loop_layers, n) for n in (1, golf.loops)]
        for name, table in self.rotary().items():
            self.register_buffer(name, table, persistent=False)

    def rotary(self) -> dict[str, Tensor]:
        """Return the tables of all positions, by the names of the buffers that hold them."""
        config, golf = self.config, self.golf
        rotary_width = golf.rotary_width or config.head_width
        cosines, sines = rotary_tables(
            positions=golf.memory_tokens + config.context,
            head_width=rotary_width,
            base=stretched_base(
                config.rope_base,
                length=config.context,
                base_length=golf.rope_length,
                rotary_width=rotary_width,
            ),
        )
        return {"cosines": cosines, "sines": sines}

    def forward(self, ids: Tensor, real: Tensor | None = None) -> Tensor:
        """Map ids [B, T] (int64, T ≤ context) to logits [B, T, V]; row t predicts id t + 1.

        Where `real` [B, T], bool or 0/1, is false stands padding, on any side.
        """
        return self.logits(self.trunk(ids, real=real))

    def trunk(
        self,
        ids: Tensor,
        before: Tensor | None = None,
        *,
        real: Tensor | None = None,
        cache: DecodingCache | None = None,
        last: int | None = None,
    ) -> Tensor:
        """Map ids [B, T] to the normed stream [B, T, D] before the output layer.

        Args:
            ids: in training mode the first M rows, those of the memory, predict nothing of use.
            before: the `look_back` ids before them [B, look_back], or as many as there are; None
                for none. Separators may stand for those that a text does not have.
            real: [B, T], 1 or true for tokens and 0 or false for padding; None: all are tokens.
            cache: what was read before, and what stood before that; takes in what is read now.
                For evaluation mode.
            last: how many rows are wanted, the last ones; None: all of the ids'.
        """
        seen, seen_real = seen_so_far(ids, before, real, cache)
        time = ids.shape[1]
        embedded = self.embed(seen, seen_real, time)
        if self.memory is not None and (cache is None or cache.length == time):
            place = self.memory.overwrite if self.training else self.memory.prepend
            embedded = place(embedded)
        rows = embedded.shape[1]
        tables, visible = (self.cosines[:rows], self.sines[:rows]), None
        if seen_real is not None:
            shown = seen_real[:, -(time if cache is None else cache.length) :]
            tables, visible = self._sight(shown, rows)
        added = self._value_additions(ids, rows)
        first_value: list[Tensor] = []
        pushed: list[Tensor] = []
        stream = embedded
        order = self.orders[self.looping or not self.training]
        for run, (layer, first_time) in enumerate(order):
            if self.skips is not None and first_time:
                stream = self.skips.add(stream, layer, pushed)
            keep = None if cache is None else partial(cache.extend, run)
            wanted = last if run == len(order) - 1 else None
            attended = (tables, visible, keep, added.get(layer), first_value, wanted)
            stream = self.blocks[layer](stream, embedded, *attended)
            if self.skips is not None and first_time:
                self.skips.push(stream, layer, pushed)
        return scaled_norm(stream[:, -(last or time) :], 1.0)

    def embed(self, seen: Tensor, real: Tensor | None, time: int) -> Tensor:
        """Map the last `time` of ids [B, N] to [B, time, D], with what they look back on.

        Memory tokens are not among them; `real` is false for padding, None: nowhere.
        """
        window = slice(-(time + self.look_back), None)
        seen, real = seen[:, window], None if real is None else real[:, window]
        stream: Tensor = self.embedding(seen)
        if self.bigram is not None:
            stream = stream + self.bigram(seen, real)
        stream = scaled_norm(stream, 1.0)
        if real is not None:
            stream = stream * real.unsqueeze(-1)
        if self.smear is not None:
            stream = self.smear(stream, seen == self.separator)
        return stream[:, -time:]

    def _sight(self, real: Tensor, rows: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Return tables of the last `rows` rows and what they see; the memory's are first."""
        memory = self.golf.memory_tokens
        real = functional.pad(real[:, memory if self.training else 0 :], (memory, 0), value=True)
        documents = document_numbers(real.long(), real=real)
        return sight((self.cosines, self.sines), documents, real, rows)

    def _value_additions(self, ids: Tensor, rows: int) -> dict[int, Tensor]:
        """Return what is added to the values of each layer; nothing where the memory stands."""
        if self.value_embedding is None:
            return {}
        shown = ids[:, self.golf.memory_tokens :] if self.training else ids
        first = self.config.layers - self.golf.value_layers
        additions: list[Tensor] = self.value_embedding(shown)
        return {
            layer: functional.pad(added, (0, 0, rows - shown.shape[1], 0))
            for layer, added in enumerate(additions, first)
        }

    def empty_cache(self, batch: int) -> DecodingCache:
        """Return a cache for `trunk` that has read nothing yet."""
        return empty_cache(
            layers=len(self.orders[1]),
            batch=batch,
            kv_heads=self.config.kv_heads,
            context=self.config.context,
            head_width=self.config.head_width,
            like=self.embedding.weight,
            memory=self.golf.memory_tokens,
            look_back=self.look_back,
        )

    def logits(self, normed: Tensor) -> Tensor:
        """Map [..., D] to logits [..., V]."""
        logits: Tensor = functional.linear(normed, self.embedding.weight)
        return softcap(logits, self.config.logit_softcap)


@torch.no_grad()
def initialise_golf(model: GolfTransformer, seed: int) -> None:
    """Draw the weights as the records did; vectors start as their blocks made them.

    Matrices are orthogonal, but what ends a residual branch and the heads that look ahead are zero.
    The embedding is drawn with a deviation of 0.005, the value embedding's table 0.01, memory 0.02;
    the table of pairs is zero. Each draws from its own name.
    """
    deviations = {"embedding": 0.005, "value_embedding.table": 0.01, "memory": 0.02}
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        generator = named_generator(seed, name)
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
    that are looked up do not count, but the embedding once, as the output layer.
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
    attention = len(order) * config.heads * config.head_width * config.context
    return 6 * weights + 12 * attention
