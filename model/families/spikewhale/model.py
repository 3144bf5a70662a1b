"""Puts the blocks together as SpikeWhaleLM, the model of Escarda-86M and Byrne-86M.

Embedding and engram, then layers of narrow-ranked attention and SwiGLU between residual streams,
then a refinement, the last norm and the embedding table once more. Two heads that only training
needs predict further tokens and further hidden rows. What differs from the releases, and why, is
in docs/seeds.md; their names for the weights are in `state_dict_adapter.py`.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.document_masks import document_begins, document_numbers, visible_in_document
from ...layers.engram import LARGEST, Engram
from ...layers.hrm import Refinement
from ...layers.hyper_connections import HyperConnections, Route
from ...layers.jepa import LatentPrediction
from ...layers.kv_cache import DecodingCache, empty_cache, seen_so_far
from ...layers.masks import sight
from ...layers.moe import Experts
from ...layers.mtp_states import AheadStates
from ...layers.rope import rotary_tables
from ...layers.softcap import softcap
from ..initialization import named_generator
from .block import NORM_EPS, WhaleBlock


class SpikeWhale(nn.Module):
    """Token ids in, logits of the next token out."""

    cosines: Tensor
    sines: Tensor

    def __init__(
        self, config: ModelConfig, whale: SpikeWhaleConfig, vocab_size: int, separator: int
    ) -> None:
        super().__init__()
        self.config, self.whale = config, whale
        # As published, documents are not told apart.
        self.separator = separator if whale.layout == "repaired" else None
        self.look_back = whale.engram_orders - 1 if whale.engram_rows else 0
        width, layers = config.width, config.layers
        self.embedding = nn.Embedding(vocab_size, width)
        self.engram = (
            Engram(
                rows=whale.engram_rows,
                heads=whale.engram_heads,
                orders=whale.engram_orders,
                code_width=whale.engram_code_width,
                width=width,
                gate_bias=whale.engram_gate_bias,
            )
            if whale.engram_rows
            else None
        )
        self.blocks = nn.ModuleList(WhaleBlock(config, whale, layer) for layer in range(layers))
        self.connections = (
            HyperConnections(
                branches=2 * layers, streams=whale.streams, rounds=whale.sinkhorn_rounds
            )
            if whale.streams > 1
            else None
        )
        self.refinement = (
            Refinement(width=width, hidden_width=whale.hrm_width, steps=whale.hrm_steps)
            if whale.hrm_steps
            else None
        )
        self.norm = nn.RMSNorm(width, eps=NORM_EPS)
        self.ahead = (
            AheadStates(heads=whale.ahead_heads, width=width) if whale.ahead_heads else None
        )
        self.latent = (
            LatentPrediction(width=width, hidden_width=whale.jepa_width, horizon=whale.jepa_horizon)
            if whale.jepa_horizon
            else None
        )
        for name, table in self.rotary().items():
            self.register_buffer(name, table, persistent=False)

    def rotary(self) -> dict[str, Tensor]:
        """Return the tables of all positions, by the names of the buffers that hold them."""
        cosines, sines = rotary_tables(
            positions=self.config.context,
            head_width=self.whale.rotary_width or self.config.head_width,
            base=self.config.rope_base,
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
            ids: the new ones.
            before: up to `look_back` ids before them, on which embeddings look back and attention
                does not; None for none. Separators may stand for those that a text does not have.
            real: [B, T], 1 or true for tokens and 0 or false for padding; None: all are tokens.
            cache: what was read before, and what stood before that; takes in what is read now.
            last: how many rows are wanted, the last ones; None: all.
        """
        seen, real_seen = seen_so_far(ids, before, real, cache)
        documents = document_numbers(seen, self.separator, real_seen)
        time = ids.shape[1]
        embedded = self.embed(seen, documents, time)
        within = time if cache is None else cache.length
        tables, visible = self._sight(documents[:, -within:], real_seen, time)
        tokens = self.embedding(ids) if self.whale.embedding_again else None
        stream = embedded
        routes: list[Route | None] = [None] * (2 * len(self.blocks))
        if self.connections is not None:
            routes = [*self.connections.routes()]
            stream = embedded.expand(self.whale.streams, -1, -1, -1)
        for layer, block in enumerate(self.blocks):
            keep = None if cache is None else partial(cache.extend, layer)
            pair = (routes[2 * layer], routes[2 * layer + 1])
            wanted = last if layer == len(self.blocks) - 1 else None
            stream = block(stream, pair, tokens, ids, tables, visible, keep, wanted)
        if self.connections is not None:
            stream = self.connections.merge(stream)
        if self.refinement is not None:
            stream = self.refinement(stream)
        normed: Tensor = self.norm(stream)
        return normed

    def embed(self, seen: Tensor, documents: Tensor, time: int) -> Tensor:
        """Map the last `time` of ids [B, N], of such documents, to [B, time, D]."""
        window = slice(-(time + self.look_back), None)
        seen, documents = seen[:, window], documents[:, window]
        stream: Tensor = self.embedding(seen)
        if self.engram is not None:
            as_published = self.separator is None
            codes = (
                self.engram.embedding_codes(stream) if as_published else self.engram.id_codes(seen)
            )
            stream = stream + self.engram(codes, stream, document_begins(documents))
        return stream[:, -time:]

    def _sight(
        self, documents: Tensor, real: Tensor | None, time: int
    ) -> tuple[tuple[Tensor, Tensor], Tensor | None]:
        """Return the rotary tables of the last `time` tokens, and what these may see.

        Padding has no position, so that texts padded to one length keep their own.
        """
        apart = self.separator is not None and self.whale.documents_apart
        if real is None:
            tables = (self.cosines[:time], self.sines[:time])
            # A mask doubles the cost of attention; a compiled model cannot look whether it must.
            if apart and (torch.compiler.is_compiling() or _several(documents)):
                return tables, visible_in_document(documents, time)
            return tables, None
        real = real[:, -documents.shape[1] :]
        walls = documents if apart else document_numbers(documents, real=real)
        return sight((self.cosines, self.sines), walls, real, time)

    def logits(self, normed: Tensor) -> Tensor:
        """Map [..., D] to logits [..., V]."""
        logits: Tensor = functional.linear(normed, self.embedding.weight)
        return softcap(logits, self.config.logit_softcap)

    def empty_cache(self, batch: int) -> DecodingCache:
        """Return a cache for `trunk` that has read nothing yet."""
        return empty_cache(
            layers=self.config.layers,
            batch=batch,
            kv_heads=self.config.kv_heads,
            context=self.config.context,
            head_width=self.config.head_width,
            like=self.embedding.weight,
            look_back=self.look_back,
        )

    def experts(self) -> list[Experts]:
        """Return the layers' experts, where layers have some."""
        return [b.feed_forward for b in self.blocks if isinstance(b.feed_forward, Experts)]


def _several(documents: Tensor) -> bool:
    """Tell whether any row has more than one document."""
    return bool((documents[:, 0] != documents[:, -1]).any())


@torch.no_grad()
def initialise_spikewhale(model: SpikeWhale, seed: int) -> None:
    """Draw the weights; vectors, gates and routes start as their blocks made them.

    Matrices and tables are drawn with a deviation of 0.02, as published, each from its own name;
    the heads that look ahead start as identity. The engram's frozen numbers are whole, or as
    published small.
    """
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        if owner.startswith("ahead"):
            parameter.zero_()
        elif parameter.ndim == 2 and owner != "connections":
            parameter.normal_(0.0, 0.02, generator=named_generator(seed, name))
    if model.engram is None:
        return
    published = model.whale.layout == "published"
    for what in ("projections",) if published else ("projections", "compressor"):
        frozen: Tensor = getattr(model.engram, what)
        generator = named_generator(seed, f"engram.{what}")
        if published:
            frozen.normal_(generator=generator)
        else:
            frozen.random_(-LARGEST, LARGEST + 1, generator=generator)


def spikewhale_flops_per_token(model: SpikeWhale) -> int:
    """Return the floating-point operations to train on one token.

    6 × every weight that multiplies, the embedding once for each set of logits, of experts those
    that see a token, and 12 × L × H × K × T; what is looked up or frozen does not count.
    """
    config, whale = model.config, model.whale
    looked_up = ("embedding", "engram.table", "connections")
    weights = sum(
        p.numel()
        for name, p in model.named_parameters()
        if p.ndim == 2 and p.requires_grad and not name.startswith(looked_up)
    )
    weights += (1 + whale.ahead_heads) * model.embedding.weight.numel()
    for experts in model.experts():
        idle = whale.experts - whale.experts_chosen
        weights -= idle * sum(p.numel() for p in experts.experts[0].parameters())
    attention = config.layers * config.heads * config.head_width * config.context
    return 6 * weights + 12 * attention
