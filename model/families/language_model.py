"""Language model: the one interface of all families.

A `LanguageModel` is a `Backbone`, which maps token ids to hidden states, and an output layer.
For training, a family adds auxiliary losses to the cross-entropy of the next token, and may change
its graph with the progress of the training. The names of the weights are those of published
checkpoints: `model.embed_tokens`, `model.layers.0`, `model.norm`, `lm_head`. Modules with other
names are for training alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config.schema import ModelConfig
from ..layers.kv_cache import KVCache, new_kv_cache
from ..layers.softcap import softcap

# Losses that a training reports: cross-entropy of the next token in nats, multi-token prediction
# (MTP), 1 − cosine of later hidden states (JEPA), squared log-sum-exp, load balance of experts.
LOSS_NAMES = ("loss", "mtp_loss", "jepa_loss", "z_loss", "aux_loss")


class LossRows(NamedTuple):
    """Loss inputs: the tensors of N positions of a batch [B, T]."""

    hidden_states: Tensor
    """[N, D]."""
    logits: Tensor
    """[N, V]."""
    nats: Tensor
    """[N], cross-entropies of the next token."""
    targets: Tensor
    """Ids [N, 1 + `future_targets`], IGNORE_INDEX where they do not count."""
    positions: Tensor
    """[N], positions in the flattened batch [B · T]."""
    all_hidden_states: Tensor
    """[B, T, D], without gradient."""


class Backbone(nn.Module, ABC):
    """Backbone: token ids to hidden states, all but the output layer."""

    cosines: Tensor
    sines: Tensor
    layers: nn.ModuleList
    lookback = 0
    """Number of ids before a window on which its embeddings depend."""
    num_memory_tokens = 0
    """Number of memory tokens before the text; in training they replace its first tokens."""

    def __init__(self, config: ModelConfig, vocab_size: int) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(vocab_size, config.dim)

    def register_rope_tables(self) -> None:
        """Register RoPE's cosines and sines as buffers that are not in the state dict."""
        for name, table in self.rope_tables().items():
            self.register_buffer(name, table, persistent=False)

    @abstractmethod
    def rope_tables(self) -> dict[str, Tensor]:
        """Return cosines and sines [positions, R], by the names of their buffers."""

    @abstractmethod
    def forward(
        self,
        ids: Tensor,
        prefix_ids: Tensor | None = None,
        *,
        attention_mask: Tensor | None = None,
        kv_cache: KVCache | None = None,
        logits_to_keep: int | None = None,
    ) -> Tensor:
        """Map ids [B, T] (int64, T ≤ context) to normed hidden states [B, T, D].

        Args:
            ids: the new ones. In training mode the first `num_memory_tokens` rows predict nothing.
            prefix_ids: up to `lookback` ids before them, [B, P], which embeddings read and
                attention does not; None for none. Separators may fill the places before a text.
            attention_mask: [B, T], 1 or true for tokens, 0 or false for padding, on any side; None:
                all tokens.
            kv_cache: of the ids read before, for evaluation mode; is extended by the new ones.
            logits_to_keep: number of last rows to return; None: all.
        """

    @property
    def cached_layers(self) -> int:
        """Number of layers that run, each with its own keys and values."""
        return self.config.layers

    def new_kv_cache(self, batch: int) -> KVCache:
        """Return an empty KV cache for `batch` texts."""
        return new_kv_cache(
            layers=self.cached_layers,
            batch=batch,
            kv_heads=self.config.kv_heads,
            context=self.config.context,
            head_dim=self.config.head_dim,
            like=self.embed_tokens.weight,
            memory_tokens=self.num_memory_tokens,
            lookback=self.lookback,
        )


class LanguageModel(nn.Module, ABC):
    """Causal language model: token ids in, logits of the next token out."""

    future_targets = 0
    """Number of later targets of each position that `auxiliary_losses` reads."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        config = backbone.config
        self.model = backbone
        self.lm_head = (
            None if config.tie_embeddings else nn.Linear(config.dim, self.vocab_size, bias=False)
        )

    @property
    def config(self) -> ModelConfig:
        """Shape of the model."""
        return self.model.config

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self.model.embed_tokens.num_embeddings

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.model.embed_tokens.weight.device

    @property
    def layers(self) -> nn.ModuleList:
        """Decoder layers, in the order of their numbers."""
        return self.model.layers

    @property
    def lookback(self) -> int:
        """Number of ids before a window on which its embeddings depend."""
        return self.model.lookback

    @property
    def num_memory_tokens(self) -> int:
        """Number of memory tokens; in training, the first tokens of a sequence have no loss."""
        return self.model.num_memory_tokens

    @property
    def output_weight(self) -> str:
        """Name of the output layer's matrix [V, D]."""
        return "model.embed_tokens.weight" if self.lm_head is None else "lm_head.weight"

    def forward(self, ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Map ids [B, T] (int64, T ≤ context) to logits [B, T, V]; row t predicts id t + 1.

        `attention_mask` [B, T], bool or 0/1, is false for padding, on any side.
        """
        return self.logits(self.backbone(ids, attention_mask=attention_mask))

    def backbone(
        self,
        ids: Tensor,
        prefix_ids: Tensor | None = None,
        *,
        attention_mask: Tensor | None = None,
        kv_cache: KVCache | None = None,
        logits_to_keep: int | None = None,
    ) -> Tensor:
        """Map ids [B, T] to normed hidden states [B, T, D], as `Backbone.forward` does.

        Args:
            ids: int64 [B, T].
            prefix_ids: up to `lookback` ids before them, [B, P].
            attention_mask: [B, T], false for padding; None: no padding.
            kv_cache: of the ids read before; is extended.
            logits_to_keep: number of last rows to return; None: all.
        """
        hidden_states: Tensor = self.model(
            ids,
            prefix_ids,
            attention_mask=attention_mask,
            kv_cache=kv_cache,
            logits_to_keep=logits_to_keep,
        )
        return hidden_states

    def logits(self, hidden_states: Tensor) -> Tensor:
        """Map hidden states [..., D] to logits [..., V]."""
        output = self.model.embed_tokens if self.lm_head is None else self.lm_head
        logits: Tensor = functional.linear(hidden_states, output.weight)
        return softcap(logits, self.config.logit_softcap)

    def new_kv_cache(self, batch: int) -> KVCache:
        """Return an empty KV cache for `batch` texts."""
        return self.model.new_kv_cache(batch)

    @abstractmethod
    def init_weights(self, seed: int) -> None:
        """Initialise the weights; equal seeds give equal bytes on any machine."""

    @abstractmethod
    def flops_per_token(self) -> int:
        """Return the floating-point operations to train on one token."""

    def progress_changes(self) -> tuple[float, ...]:
        """Return the shares of the training at which the graph of the forward pass changes."""
        return ()

    def set_progress(self, progress: float, lr_scale: float) -> None:
        """Set the progress of the training, 0 to 1, and the learning rates' share of the full."""

    def mask_future_targets(self, targets: list[Tensor], ended: Tensor) -> None:
        """Set targets [B, T] that cannot be predicted to IGNORE_INDEX, in place.

        Args:
            targets: the ids 2, 3, … tokens later, [B, T] each.
            ended: the next ids, [B, T], among which separators end a document.
        """

    def auxiliary_losses(self, rows: LossRows) -> Iterator[tuple[str, float, Tensor]]:
        """Yield losses besides that of the next token: name, weight and values [n].

        The sum of the values times the weight, divided by the number of targets of the next token,
        is added to the loss.
        """
        del rows
        return iter(())

    def balance_loss(self) -> tuple[float, Tensor] | None:
        """Return weight and scalar value of the load-balancing loss of the last pass, if any."""
        return None
