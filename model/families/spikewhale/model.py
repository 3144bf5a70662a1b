"""SpikeWhaleLM, the model of Escarda-86M and Byrne-86M.

Embedding and engram; layers of low-rank attention and SwiGLU between residual streams; a
refinement, the last norm and the embedding table as output layer. Two trained-only heads predict
further tokens and further hidden rows. docs/seeds.md lists the differences from the releases and
their reasons; the releases' names for the weights are in `state_dict_adapter.py`.
"""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.document_masks import document_mask, document_numbers, document_starts
from ...layers.engram import LARGEST, Engram
from ...layers.hrm import HRMRefine
from ...layers.hyper_connections import HyperConnections, Route
from ...layers.jepa import JEPAPredictor
from ...layers.kv_cache import KVCache, extend_ids, new_kv_cache
from ...layers.masks import attention_inputs
from ...layers.moe import Experts
from ...layers.mtp_states import MTPStates
from ...layers.rope import rope_cos_sin
from ...layers.softcap import softcap
from ..initialization import per_parameter_generator
from .block import NORM_EPS, WhaleBlock


class SpikeWhale(nn.Module):
    """SpikeWhaleLM: token ids in, logits of the next token out."""

    cosines: Tensor
    sines: Tensor

    def __init__(
        self, config: ModelConfig, whale: SpikeWhaleConfig, vocab_size: int, eos_id: int
    ) -> None:
        super().__init__()
        self.config, self.whale = config, whale
        # As published, there are no document masks.
        self.eos_id = eos_id if whale.layout == "repaired" else None
        self.lookback = whale.engram_max_ngram - 1 if whale.engram_table_size else 0
        dim, layers = config.dim, config.layers
        self.embedding = nn.Embedding(vocab_size, dim)
        self.engram = (
            Engram(
                rows=whale.engram_table_size,
                heads=whale.engram_num_heads,
                orders=whale.engram_max_ngram,
                code_width=whale.engram_compress_dim,
                dim=dim,
                gate_bias=whale.engram_gate_init_bias,
            )
            if whale.engram_table_size
            else None
        )
        self.blocks = nn.ModuleList(WhaleBlock(config, whale, layer) for layer in range(layers))
        self.connections = (
            HyperConnections(
                branches=2 * layers, streams=whale.hc_mult, rounds=whale.hc_sinkhorn_iters
            )
            if whale.hc_mult > 1
            else None
        )
        self.refinement = (
            HRMRefine(dim=dim, hidden_dim=whale.hrm_refine_dim, steps=whale.hrm_refine_steps)
            if whale.hrm_refine_steps
            else None
        )
        self.norm = nn.RMSNorm(dim, eps=NORM_EPS)
        self.ahead = MTPStates(heads=whale.mtp_num_heads, dim=dim) if whale.mtp_num_heads else None
        self.latent = (
            JEPAPredictor(dim=dim, hidden_dim=whale.jepa_pred_dim, horizon=whale.jepa_horizon)
            if whale.jepa_horizon
            else None
        )
        for name, table in self.rotary().items():
            self.register_buffer(name, table, persistent=False)

    def rotary(self) -> dict[str, Tensor]:
        """Return the tables of all positions, by the names of the buffers that hold them."""
        cosines, sines = rope_cos_sin(
            positions=self.config.context,
            head_dim=self.whale.qk_rope_head_dim or self.config.head_dim,
            base=self.config.rope_base,
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
            ids: the new ones.
            before: up to `lookback` ids before them, on which embeddings look back and attention
                does not; None for none. Separators may pad ids that a text does not have.
            attention_mask: [B, T], 1 or true for tokens, 0 or false for padding; None: all tokens.
            cache: of the ids read before; is extended by `before` and `ids`.
            last: number of last rows to return; None: all.
        """
        seen, attention_mask_seen = extend_ids(ids, before, attention_mask, cache)
        documents = document_numbers(seen, self.eos_id, attention_mask_seen)
        time = ids.shape[1]
        embedded = self.embed(seen, documents, time)
        within = time if cache is None else cache.length
        rope, attn_mask = self._attention_inputs(documents[:, -within:], attention_mask_seen, time)
        tokens = self.embedding(ids) if self.whale.embedding_again else None
        stream = embedded
        routes: list[Route | None] = [None] * (2 * len(self.blocks))
        if self.connections is not None:
            routes = [*self.connections.routes()]
            stream = embedded.expand(self.whale.hc_mult, -1, -1, -1)
        for layer, block in enumerate(self.blocks):
            update_kv = None if cache is None else partial(cache.extend, layer)
            pair = (routes[2 * layer], routes[2 * layer + 1])
            wanted = last if layer == len(self.blocks) - 1 else None
            stream = block(stream, pair, tokens, ids, rope, attn_mask, update_kv, wanted)
        if self.connections is not None:
            stream = self.connections.merge(stream)
        if self.refinement is not None:
            stream = self.refinement(stream)
        hidden_states: Tensor = self.norm(stream)
        return hidden_states

    def embed(self, seen: Tensor, documents: Tensor, time: int) -> Tensor:
        """Map the last `time` of ids [B, N], with their document numbers, to [B, time, D]."""
        window = slice(-(time + self.lookback), None)
        seen, documents = seen[:, window], documents[:, window]
        stream: Tensor = self.embedding(seen)
        if self.engram is not None:
            as_published = self.eos_id is None
            codes = (
                self.engram.embedding_codes(stream) if as_published else self.engram.id_codes(seen)
            )
            stream = stream + self.engram(codes, stream, document_starts(documents))
        return stream[:, -time:]

    def _attention_inputs(
        self, documents: Tensor, attention_mask: Tensor | None, time: int
    ) -> tuple[tuple[Tensor, Tensor], Tensor | None]:
        """Return the rotary tables of the last `time` tokens, and their mask.

        Padding has no position, so that texts padded to one length keep their own.
        """
        apart = self.eos_id is not None and self.whale.documents_apart
        if attention_mask is None:
            rope = (self.cosines[:time], self.sines[:time])
            # A mask doubles the cost of attention; a compiled model cannot check the need for it.
            if apart and (torch.compiler.is_compiling() or _several(documents)):
                return rope, document_mask(documents, time)
            return rope, None
        attention_mask = attention_mask[:, -documents.shape[1] :]
        walls = documents if apart else document_numbers(documents, attention_mask=attention_mask)
        return attention_inputs((self.cosines, self.sines), walls, attention_mask, time)

    def logits(self, hidden_states: Tensor) -> Tensor:
        """Map [..., D] to logits [..., V]."""
        logits: Tensor = functional.linear(hidden_states, self.embedding.weight)
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
            lookback=self.lookback,
        )

    def experts(self) -> list[Experts]:
        """Return the experts of all layers that have some."""
        return [b.feed_forward for b in self.blocks if isinstance(b.feed_forward, Experts)]


def _several(documents: Tensor) -> bool:
    """Return whether any row has more than one document."""
    return bool((documents[:, 0] != documents[:, -1]).any())


@torch.no_grad()
def init_spikewhale_weights(model: SpikeWhale, seed: int) -> None:
    """Initialise the weights; vectors, gates and routes start as their blocks made them.

    Matrices and tables have a deviation of 0.02, as published, each with its own random generator;
    MTP heads start as identity. The engram's frozen numbers are whole, or as published small.
    """
    for name, parameter in model.named_parameters():
        owner = name.rpartition(".")[0]
        if owner.startswith("ahead"):
            parameter.zero_()
        elif parameter.ndim == 2 and owner != "connections":
            parameter.normal_(0.0, 0.02, generator=per_parameter_generator(seed, name))
    if model.engram is None:
        return
    published = model.whale.layout == "published"
    for what in ("projections",) if published else ("projections", "compressor"):
        frozen: Tensor = getattr(model.engram, what)
        generator = per_parameter_generator(seed, f"engram.{what}")
        if published:
            frozen.normal_(generator=generator)
        else:
            frozen.random_(-LARGEST, LARGEST + 1, generator=generator)


def spikewhale_flops_per_token(model: SpikeWhale) -> int:
    """Return the floating-point operations to train on one token.

    6 × every weight that multiplies, the embedding once for each set of logits, of experts those
    that read a token, and 12 × L × H × K × T; looked-up and frozen weights do not count.
    """
    config, whale = model.config, model.whale
    looked_up = ("embedding", "engram.table", "connections")
    weights = sum(
        p.numel()
        for name, p in model.named_parameters()
        if p.ndim == 2 and p.requires_grad and not name.startswith(looked_up)
    )
    weights += (1 + whale.mtp_num_heads) * model.embedding.weight.numel()
    for experts in model.experts():
        idle = whale.n_routed_experts - whale.num_experts_per_tok
        weights -= idle * sum(p.numel() for p in experts.experts[0].parameters())
    attention = config.layers * config.heads * config.head_dim * config.context
    return 6 * weights + 12 * attention
