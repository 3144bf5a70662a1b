"""Incremental decoding: a growing text, each token read once while the context lasts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..families.build import Model
from ..layers.kv_cache import KVCache, context_window_start


class IncrementalDecoder:
    """Incremental decoder: a model with the KV cache of a text.

    Once the context is full, the window moves on by half of it, and the rest is read again. So a
    token is predicted from half a context at least, and costs no more than two short passes.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._start = 0
        self._cache: KVCache | None = None

    def next_logits(self, ids: Sequence[int]) -> Tensor:
        """Return the logits [V] of the id after `ids`, which begin with all ids given before."""
        context = self._model.config.context
        with torch.inference_mode():
            start = context_window_start(len(ids), context)
            if self._cache is None or start != self._start:
                self._start, self._cache = start, self._model.new_kv_cache(batch=1)
            cache, device = self._cache, self._model.embedding.weight.device
            before = None
            if self._start and not cache.length and self._model.lookback:
                seen = ids[max(0, self._start - self._model.lookback) : self._start]
                before = torch.tensor([seen], device=device)
            unread = torch.tensor([ids[self._start + cache.length :]], device=device)
            hidden = self._model.backbone(unread, before, cache=cache)[0, -1]
            return self._model.logits(hidden)
