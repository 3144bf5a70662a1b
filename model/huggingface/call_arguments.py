"""Argument checks of the exported model's `forward`.

Part of the generated file; spike itself never imports it.
"""

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache

from .cache import UNSUPPORTED, SpikeCache


def given_cache(
    cache: Cache | None, old_name: Cache | None, others: dict[str, Any]
) -> SpikeCache | None:
    """Return the cache, from whichever of its argument names."""
    if any(isinstance(value, Cache) for value in others.values()):
        raise ValueError(UNSUPPORTED)
    if cache is not None and old_name is not None:
        raise ValueError("cache, past_key_values: two names of one argument; pass one")
    found = old_name if cache is None else cache
    if found is not None and not isinstance(found, SpikeCache):
        raise ValueError(
            f"cache: {type(found).__name__}; spike's models keep a cache of their own, which "
            "use_cache=True makes"
        )
    return found


def new_mask(mask: Tensor | None, time: int, cache: SpikeCache | None) -> Tensor | None:
    """Return which of the new ids [B, T] are real."""
    if mask is None:
        return None
    read = 0 if cache is None else cache.get_seq_length()
    if mask.ndim != 2 or mask.shape[1] not in (time, read + time):
        raise ValueError(
            f"attention_mask: of shape {[*mask.shape]}, but there are {time} new ids and {read} in "
            "the cache; it has to be [B, T]; who sees whom is the model's to say"
        )
    return mask[:, -time:].bool()


def rows_wanted(wanted: int | Tensor, time: int, context: int) -> int:
    """Return the number of last rows that are needed, of `time`; `wanted` 0 is all."""
    rows = time if isinstance(wanted, Tensor) else min(wanted or time, time)
    if rows > context:
        raise ValueError(
            f"input_ids: {time} tokens are more than the context; pass less, or a logits_to_keep "
            f"up to {context}"
        )
    return rows
