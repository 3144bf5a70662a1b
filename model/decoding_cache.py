"""Keeps what a model has read, so that each further token costs one short pass."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(slots=True, kw_only=True)
class DecodingCache:
    """Keys, values and ids of the tokens read so far; room for the rest of the context."""

    keys: Tensor
    """[layers, B, G, context, K], normed and turned."""
    values: Tensor
    """[layers, B, G, context, K]."""
    ids: Tensor
    """[B, context]; what embeddings look back on, and where documents end."""
    real: Tensor
    """Bool [B, context], false for padding."""
    length: int = 0
    """Tokens read."""

    def append(self, ids: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor]:
        """Take in ids [B, T]; return all ids so far and which are real, [B, length]."""
        new = slice(self.length, self.length + ids.shape[1])
        self.ids[:, new] = ids
        self.real[:, new] = True if real is None else real
        self.length = new.stop
        return self.ids[:, : self.length], self.real[:, : self.length]

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Take in a layer's keys and values [B, G, T, K] of the ids last appended; return all."""
        new = slice(self.length - key.shape[2], self.length)
        self.keys[layer, :, :, new], self.values[layer, :, :, new] = key, value
        return self.keys[layer, :, :, : self.length], self.values[layer, :, :, : self.length]


def empty_cache(
    *, layers: int, batch: int, kv_heads: int, context: int, head_width: int, like: Tensor
) -> DecodingCache:
    """Return a cache without tokens, on the device and in the type of `like`."""
    shape = (layers, batch, kv_heads, context, head_width)
    return DecodingCache(
        keys=like.new_empty(shape),
        values=like.new_empty(shape),
        ids=torch.zeros(batch, context, dtype=torch.int64, device=like.device),
        real=torch.zeros(batch, context, dtype=torch.bool, device=like.device),
    )
