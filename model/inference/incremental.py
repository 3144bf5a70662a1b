"""Incremental decoding of a growing text with a KV cache."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..families.language_model import LanguageModel
from ..layers.kv_cache import KVCache, context_window_start


class IncrementalDecoder:
    """Incremental decoder: a model with the KV cache of a text.

    Whenever the context is full, the window moves on by half of it, and the rest is read again. So
    a token is predicted from at least half a context, and costs at most two short passes on
    average.
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._start = 0
        self._kv_cache: KVCache | None = None

    def next_logits(self, ids: Sequence[int]) -> Tensor:
        """Return the logits [V] of the id after `ids`, which begin with those of earlier calls."""
        context = self._model.config.context
        with torch.inference_mode():
            start = context_window_start(len(ids), context)
            if self._kv_cache is None or start != self._start:
                self._start, self._kv_cache = start, self._model.new_kv_cache(batch=1)
            kv_cache, device = self._kv_cache, self._model.device
            prefix_ids = None
            if self._start and not kv_cache.length and self._model.lookback:
                prefix = ids[max(0, self._start - self._model.lookback) : self._start]
                prefix_ids = torch.tensor([prefix], device=device)
            unread = torch.tensor([ids[self._start + kv_cache.length :]], device=device)
            hidden_states = self._model.backbone(unread, prefix_ids, kv_cache=kv_cache)
            return self._model.logits(hidden_states[0, -1])
