"""KV cache of an exported model, with the interface that `generate` of `transformers` expects.

Part of the generated file; spike itself never imports it.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from ..layers.kv_cache import KVCache

# Names of the cache in arguments and results of `transformers`: from 5.24 on, and before.
CACHE_NAMES = ("cache", "past_key_values")
UNSUPPORTED = (
    f"transformers {transformers.__version__} does not pass the cache of generate() as "
    f"{' or '.join(CACHE_NAMES)}, so the prompt would be lost; pass use_cache=False, use "
    "transformers 5.24, or export again with a newer spike"
)


def cache_name() -> str:
    """Return the name that the cache has in results of this release of `transformers`.

    Raises:
        ImportError: results have none of the names known here.
    """
    known = {field.name for field in fields(CausalLMOutputWithPast)}
    for name in CACHE_NAMES:
        if name in known:
            return name
    raise ImportError(UNSUPPORTED)


CACHE = cache_name()


class SpikeCache(Cache):
    """KV cache of a window, and all ids so far, for windows that move on.

    Methods of `transformers` for single layers are not supported: there is one cache for all.
    """

    def __init__(self) -> None:
        super().__init__(layers=[])
        self.start = 0  # index of the window's first id
        self.kv_cache: Any = None  # a KVCache after the first ids were read
        self.ids = torch.zeros((0, 0), dtype=torch.int64)
        self.attention_mask = torch.zeros((0, 0), dtype=torch.bool)

    def append(
        self, ids: Tensor, attention_mask: Tensor | None, new_kv_cache: Callable[[int], KVCache]
    ) -> None:
        """Append ids [B, T] and their attention mask, bool [B, T]; None: all are text.

        `new_kv_cache` allocates the cache of B rows if no ids were read before.
        """
        attention_mask = (
            torch.ones_like(ids, dtype=torch.bool) if attention_mask is None else attention_mask
        )
        if self.kv_cache is None:
            self.kv_cache, self.ids, self.attention_mask = (
                new_kv_cache(len(ids)),
                ids,
                attention_mask,
            )
        else:
            self.ids, self.attention_mask = (
                torch.cat([self.ids, ids], 1),
                torch.cat([self.attention_mask, attention_mask], 1),
            )

    def unread(self, start: int) -> slice:
        """Move the window to begin with id `start`; return the slice of ids not yet read."""
        if start != self.start:
            self.start, self.kv_cache.length, self.kv_cache.prefix = start, 0, 0
        return slice(start + self.kv_cache.length, None)

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        """Return the number of tokens read."""
        return self.ids.shape[1]

    def get_max_length(self, layer_idx: int | None = None) -> int:  # noqa: ARG002
        """Return -1: there is no limit; beyond the context, windows are read again."""
        return -1

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:  # noqa: ARG002
        """Return the length of an attention mask, and its offset."""
        return self.get_seq_length() + query_length, 0

    @property
    def batch_size(self) -> int:
        """Number of rows; -1 before the first ids were read."""
        return -1 if self.kv_cache is None else len(self.ids)

    @property
    def is_linear(self) -> list[bool]:
        """Return False for all layers: the length alone describes the cache."""
        return [False]

    @property
    def is_croppable(self) -> bool:
        """Whether the last tokens can be removed."""
        return True

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows of indices [n]; one may occur several times."""
        if self.kv_cache is None:
            return
        inner = self.kv_cache
        # Keys and values are [layers, B, …], ids and mask [B, …].
        inner.keys, inner.values = (t.index_select(1, indices) for t in (inner.keys, inner.values))
        inner.ids, inner.attention_mask = (
            t.index_select(0, indices) for t in (inner.ids, inner.attention_mask)
        )
        self.ids, self.attention_mask = (
            t.index_select(0, indices) for t in (self.ids, self.attention_mask)
        )

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep the rows [B] that beam search has chosen."""
        self.batch_select_indices(beam_idx.to(self.ids.device))

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row `repeats` times."""
        rows = torch.arange(len(self.ids), device=self.ids.device)
        self.batch_select_indices(rows.repeat_interleave(repeats))

    def crop(self, tokens_to_remove: int) -> None:
        """Remove the last tokens; their number is negative, as in `transformers`.

        Raises:
            ValueError: the number is above zero.
        """
        if tokens_to_remove > 0:
            raise ValueError("tokens_to_remove is positive; pass minus the number of tokens")
        if self.kv_cache is None:
            return
        length = max(0, self.get_seq_length() + tokens_to_remove)
        self.ids, self.attention_mask = self.ids[:, :length], self.attention_mask[:, :length]
        self.kv_cache.length = max(0, min(self.kv_cache.length, length - self.start))

    def reset(self) -> None:
        """Remove all tokens."""
        self.start, self.kv_cache = 0, None
        self.ids, self.attention_mask = self.ids[:, :0], self.attention_mask[:, :0]
