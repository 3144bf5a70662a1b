"""SpikeWhaleLM, the model of Escarda-86M and Byrne-86M.

Embedding with engram; layers of latent attention and SwiGLU or MoE, joined by hyper-connections;
HRM refinement, a last norm, and the embedding table as output layer. For training only: MTP heads
and a JEPA predictor. docs/seeds.md lists the differences from the releases and their reasons. The
names of the weights are the releases', except those of the engram and of the hyper-connections,
which `state_dict_adapter.py` splits.
"""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.schema import ModelConfig
from ...config.spikewhale import SpikeWhaleConfig
from ...layers.attention_inputs import AttentionInputs, padded_inputs
from ...layers.attention_mask import document_ids, document_mask, document_starts
from ...layers.engram import MAX_HASH_FACTOR, Engram
from ...layers.hrm import HRMRefine
from ...layers.hyper_connections import HyperConnections, Route
from ...layers.jepa import JEPAPredictor, cosine_distance
from ...layers.kv_cache import KVCache, extend_ids
from ...layers.moe import MoE
from ...layers.mtp import IGNORE_INDEX
from ...layers.mtp_states import MTPStates
from ...layers.rms_norm import NORM_EPS
from ...layers.rope import rope_cos_sin
from ..initialization import per_parameter_generator
from ..language_model import Backbone, LanguageModel, LossRows
from ..parameter_roles import role_of
from .block import WhaleBlock


class SpikeWhaleBackbone(Backbone):
    """SpikeWhale backbone: embedding, engram, decoder layers on residual streams, a norm."""

    def __init__(
        self, config: ModelConfig, whale: SpikeWhaleConfig, vocab_size: int, eos_id: int
    ) -> None:
        super().__init__(config, vocab_size)
        self.whale = whale
        # As published, there are no document masks.
        self.eos_id = eos_id if whale.layout == "repaired" else None
        self.lookback = whale.engram_max_ngram - 1 if whale.engram_table_size else 0
        dim, layers = config.dim, config.layers
        self.engram = (
            Engram(
                table_size=whale.engram_table_size,
                num_heads=whale.engram_num_heads,
                max_ngram=whale.engram_max_ngram,
                compress_dim=whale.engram_compress_dim,
                dim=dim,
                gate_init_bias=whale.engram_gate_init_bias,
            )
            if whale.engram_table_size
            else None
        )
        self.layers = nn.ModuleList(WhaleBlock(config, whale, layer) for layer in range(layers))
        self.hyper_connections = (
            HyperConnections(
                branches=2 * layers, streams=whale.hc_mult, rounds=whale.hc_sinkhorn_iters
            )
            if whale.hc_mult > 1
            else None
        )
        self.hrm_refine = (
            HRMRefine(dim=dim, hidden_dim=whale.hrm_refine_dim, steps=whale.hrm_refine_steps)
            if whale.hrm_refine_steps
            else None
        )
        self.norm = nn.RMSNorm(dim, eps=NORM_EPS)
        self.register_rope_tables()

    def rope_tables(self) -> dict[str, Tensor]:
        """Return cosines and sines [context, R], by the names of their buffers."""
        cosines, sines = rope_cos_sin(
            positions=self.config.context,
            head_dim=self.whale.qk_rope_head_dim or self.config.head_dim,
            base=self.config.rope_base,
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
            prefix_ids: up to `lookback` ids before them, [B, P], for the engram.
            attention_mask: [B, T], false for padding; None: no padding.
            kv_cache: of the ids read before; is extended.
            logits_to_keep: number of last rows to return; None: all.
        """
        all_ids, mask = extend_ids(ids, prefix_ids, attention_mask, kv_cache)
        documents = document_ids(all_ids, self.eos_id, mask)
        time = ids.shape[1]
        embedded = self.embed(all_ids, documents, time)
        attended = time if kv_cache is None else kv_cache.length
        inputs = self._attention_inputs(documents[:, -attended:], mask, time)
        embedded_tokens = self.embed_tokens(ids) if self.whale.use_value_embed else None
        stream = embedded
        routes: list[Route | None] = [None] * (2 * len(self.layers))
        if self.hyper_connections is not None:
            routes = [*self.hyper_connections.routes()]
            stream = embedded.expand(self.whale.hc_mult, -1, -1, -1)  # [N, B, T, D]
        for number, layer in enumerate(self.layers):
            inputs = inputs._replace(
                update_kv=None if kv_cache is None else partial(kv_cache.extend, number),
                # Only the last layer may drop rows: the others need all keys and values.
                logits_to_keep=logits_to_keep if number == len(self.layers) - 1 else None,
            )
            pair = (routes[2 * number], routes[2 * number + 1])
            stream = layer(stream, pair, ids, embedded_tokens, inputs)
        if self.hyper_connections is not None:
            stream = self.hyper_connections.merge(stream)  # [B, T, D]
        if self.hrm_refine is not None:
            stream = self.hrm_refine(stream)
        hidden_states: Tensor = self.norm(stream)
        return hidden_states

    def embed(self, ids: Tensor, documents: Tensor, time: int) -> Tensor:
        """Map the last `time` of ids [B, N], with document numbers [B, N], to [B, time, D]."""
        window = slice(-(time + self.lookback), None)
        ids, documents = ids[:, window], documents[:, window]
        stream: Tensor = self.embed_tokens(ids)
        if self.engram is not None:
            codes = (
                self.engram.embedding_codes(stream)
                if self.eos_id is None
                else self.engram.id_codes(ids)
            )
            stream = stream + self.engram(codes, stream, document_starts(documents))
        return stream[:, -time:]

    def _attention_inputs(
        self, documents: Tensor, attention_mask: Tensor | None, time: int
    ) -> AttentionInputs:
        """Return RoPE tables and mask of the last `time` tokens; padding has no position."""
        apart = self.eos_id is not None and self.whale.documents_apart
        if attention_mask is None:
            rope = (self.cosines[:time], self.sines[:time])
            # A mask doubles the cost of attention; a compiled model cannot check whether it is
            # needed.
            if apart and (torch.compiler.is_compiling() or _has_several(documents)):
                return AttentionInputs(rope, document_mask(documents, time))
            return AttentionInputs(rope)
        attention_mask = attention_mask[:, -documents.shape[1] :]
        if not apart:
            documents = document_ids(documents, attention_mask=attention_mask)
        tables = (self.cosines, self.sines)
        return AttentionInputs(*padded_inputs(tables, documents, attention_mask, time))


class SpikeWhaleLM(LanguageModel):
    """SpikeWhaleLM, with MTP heads and JEPA predictor for training."""

    model: SpikeWhaleBackbone

    def __init__(
        self, config: ModelConfig, whale: SpikeWhaleConfig, vocab_size: int, eos_id: int
    ) -> None:
        super().__init__(SpikeWhaleBackbone(config, whale, vocab_size, eos_id))
        self.whale = whale
        self.future_targets = max(whale.num_nextn_predict_layers, whale.jepa_horizon - 1)
        self.mtp_heads = (
            MTPStates(heads=whale.num_nextn_predict_layers, dim=config.dim)
            if whale.num_nextn_predict_layers
            else None
        )
        self.jepa = (
            JEPAPredictor(
                dim=config.dim, hidden_dim=whale.jepa_pred_dim, horizon=whale.jepa_horizon
            )
            if whale.jepa_horizon
            else None
        )

    @torch.no_grad()
    def init_weights(self, seed: int) -> None:
        """Initialise the weights; vectors, gates and routes keep the values of their constructors.

        Matrices and tables have a standard deviation of 0.02, as published, each with its own
        random generator. MTP heads start as the identity. The engram's frozen numbers are random
        integers, or as published normal ones.
        """
        for name, parameter in self.named_parameters():
            if role_of(name).param_group == "mtp":
                parameter.zero_()
            elif parameter.ndim == 2 and not name.startswith("model.hyper_connections."):
                parameter.normal_(0.0, 0.02, generator=per_parameter_generator(seed, name))
        engram, published = self.model.engram, self.whale.layout == "published"
        if engram is None:
            return
        for name in ("projections",) if published else ("projections", "compressor"):
            frozen: Tensor = getattr(engram, name)
            generator = per_parameter_generator(seed, f"model.engram.{name}")
            if published:
                frozen.normal_(generator=generator)
            else:
                frozen.random_(-MAX_HASH_FACTOR, MAX_HASH_FACTOR + 1, generator=generator)

    def flops_per_token(self) -> int:
        """Return the floating-point operations to train on one token.

        6 × every weight that multiplies + 12 × L × H × K × T. The embedding counts once for each
        set of logits; of the experts, those of one token count. Looked-up and frozen weights do
        not count.
        """
        config, whale = self.config, self.whale
        not_multiplied = ("model.embed_tokens", "model.engram.table", "model.hyper_connections")
        weights = sum(
            p.numel()
            for name, p in self.named_parameters()
            if p.ndim == 2 and p.requires_grad and not name.startswith(not_multiplied)
        )
        weights += (1 + whale.num_nextn_predict_layers) * self.model.embed_tokens.weight.numel()
        for moe in self.moe_layers():
            idle = whale.n_routed_experts - whale.num_experts_per_tok
            weights -= idle * sum(p.numel() for p in moe.experts[0].parameters())
        attention = config.layers * config.heads * config.head_dim * config.context
        return 6 * weights + 12 * attention

    def moe_layers(self) -> list[MoE]:
        """Return the MoE modules of all layers that have one."""
        return [layer.ffn for layer in self.model.layers if isinstance(layer.ffn, MoE)]

    def mask_future_targets(self, targets: list[Tensor], ended: Tensor) -> None:
        """Set targets [B, T] after a separator to IGNORE_INDEX: masks make them unpredictable."""
        if self.model.eos_id is None:
            return
        past_end = torch.zeros_like(ended, dtype=torch.bool)
        is_end = ended == self.model.eos_id
        for shift, ids in enumerate(targets):
            past_end = past_end | functional.pad(
                is_end[:, shift:], (0, min(shift, is_end.shape[1]))
            )
            ids.masked_fill_(past_end, IGNORE_INDEX)

    def auxiliary_losses(self, rows: LossRows) -> Iterator[tuple[str, float, Tensor]]:
        """Yield z-loss, cross-entropies of the MTP heads and distances of JEPA: values [n]."""
        whale = self.whale
        if whale.zloss_coef:
            # The cross-entropy is the log-sum-exp less the target's logit.
            logsumexp = rows.nats + rows.logits.gather(1, rows.targets[:, :1]).squeeze(1)
            yield "z_loss", whale.zloss_coef, logsumexp.square()
        if self.mtp_heads is not None:
            weight = whale.mtp_loss_weight / whale.num_nextn_predict_layers
            states = self.mtp_heads(rows.hidden_states)
            for state, targets in zip(states, rows.targets.T[1:], strict=False):
                counted = targets != IGNORE_INDEX
                logits = _precise(self.logits(state[counted]))
                nats = functional.cross_entropy(logits, targets[counted], reduction="none")
                yield "mtp_loss", weight, nats
        if self.jepa is not None:
            weight = whale.jepa_loss_weight / whale.jepa_horizon
            time = rows.all_hidden_states.shape[1]
            later_states = rows.all_hidden_states.flatten(0, 1)
            for distance in range(1, whale.jepa_horizon + 1):
                # The state of the token `distance` later; its own target does not matter.
                counted = (rows.targets[:, distance - 1] != IGNORE_INDEX) & (
                    rows.positions % time + distance < time
                )
                predicted = self.jepa(rows.hidden_states[counted], distance)
                later = later_states[rows.positions[counted] + distance]
                yield "jepa_loss", weight, cosine_distance(predicted, later)

    def balance_loss(self) -> tuple[float, Tensor] | None:
        """Return weight and scalar value of the load-balancing loss of the last pass, if any."""
        losses = [moe.aux_loss for moe in self.moe_layers() if moe.aux_loss is not None]
        if not losses:
            return None
        return self.whale.moe_aux_loss_coef, torch.stack(losses).sum()


def _has_several(documents: Tensor) -> bool:
    """Return whether any row has more than one document."""
    return bool((documents[:, 0] != documents[:, -1]).any())


def _precise(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
