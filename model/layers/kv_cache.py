"""KV cache: keys and values of the tokens read, so that a further token costs one short pass."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(slots=True, kw_only=True)
class KVCache:
    """KV cache: keys, values and ids of the tokens read so far, allocated for the whole context."""

    keys: Tensor
    """[layers run, B, G, memory + context, K], normed and rotated."""
    values: Tensor
    """[layers run, B, G, memory + context, K]."""
    ids: Tensor
    """[B, look back + context]; for the look-back of embeddings, and for the ends of documents."""
    attention_mask: Tensor
    """Bool, of the shape of `ids`; false for padding."""
    memory_tokens: int = 0
    """Number of memory tokens before the text."""
    prefix: int = 0
    """Ids before the first token, on which embeddings look back and attention does not."""
    length: int = 0
    """Tokens read."""

    def append(
        self, ids: Tensor, attention_mask: Tensor | None = None, prefix_ids: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Append ids [B, T] and their attention mask, bool [B, T].

        The first call may have `prefix_ids` [B, prefix], the ids before the text.

        Returns:
            All ids so far and their attention mask, [B, prefix + length].
        """
        if prefix_ids is not None:
            self.prefix = prefix_ids.shape[1]
            self.ids[:, : self.prefix] = prefix_ids
            self.attention_mask[:, : self.prefix] = True
        begin = self.prefix + self.length
        end = begin + ids.shape[1]
        self.ids[:, begin:end] = ids
        self.attention_mask[:, begin:end] = True if attention_mask is None else attention_mask
        self.length += ids.shape[1]
        return self.ids[:, :end], self.attention_mask[:, :end]

    def extend(self, run: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values [B, G, T, K] of the ids last appended; return all.

        `run` counts the layers in the order they run; a layer that runs twice has two entries.
        """
        end = self.memory_tokens + self.length
        new = slice(end - key.shape[2], end)
        self.keys[run, :, :, new], self.values[run, :, :, new] = key, value
        return self.keys[run, :, :, :end], self.values[run, :, :, :end]


def new_kv_cache(
    *,
    layers: int,
    batch: int,
    kv_heads: int,
    context: int,
    head_dim: int,
    like: Tensor,
    memory_tokens: int = 0,
    lookback: int = 0,
) -> KVCache:
    """Return a cache without tokens, on the device and in the type of `like`.

    Args:
        layers: number of layers that run, each with keys and values of its own.
        batch: number of texts, B.
        kv_heads: number of key and value heads, G.
        context: largest number of tokens.
        head_dim: length of a head's vectors, K.
        like: a tensor of any shape.
        memory_tokens: number of memory tokens before the text.
        lookback: number of ids before the text on which embeddings depend.
    """
    shape = (layers, batch, kv_heads, memory_tokens + context, head_dim)
    tokens = (batch, lookback + context)
    return KVCache(
        keys=like.new_empty(shape),
        values=like.new_empty(shape),
        ids=torch.zeros(tokens, dtype=torch.int64, device=like.device),
        attention_mask=torch.zeros(tokens, dtype=torch.bool, device=like.device),
        memory_tokens=memory_tokens,
    )


def extend_ids(
    ids: Tensor,
    prefix_ids: Tensor | None,
    attention_mask: Tensor | None,
    kv_cache: KVCache | None,
) -> tuple[Tensor, Tensor | None]:
    """Return all ids up to the new ones and their attention mask, [B, N]; None: no padding.

    Args:
        ids: the new ones, [B, T].
        prefix_ids: ids before the first one of the text, [B, lookback].
        attention_mask: 0/1 or bool [B, T], false for padding; None: no padding.
        kv_cache: is extended by the new ids, if there is one.
    """
    attention_mask = None if attention_mask is None else attention_mask.bool()
    if kv_cache is not None:
        return kv_cache.append(ids, attention_mask, prefix_ids)
    if prefix_ids is None:
        return ids, attention_mask
    if attention_mask is not None:
        attention_mask = functional.pad(attention_mask, (prefix_ids.shape[1], 0), value=True)
    return torch.cat([prefix_ids, ids], dim=1), attention_mask


def context_window_start(length: int, context: int) -> int:
    """Return where the window of `length` tokens starts that predicts the next token.

    Whenever the window is full, it moves on by half of the context.

    >>> [context_window_start(length, 4) for length in (4, 5, 6, 7, 8)]
    [0, 3, 3, 3, 6]
    """
    stride = context + 1 - max(1, context // 2)
    return -(-max(0, length - context) // stride) * stride
