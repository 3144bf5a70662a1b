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
    """Return the cache, by either of its argument names.

    Raises:
        ValueError: it has another name, both names, or is of another class.
    """
    if any(isinstance(value, Cache) for value in others.values()):
        raise ValueError(UNSUPPORTED)
    if cache is not None and old_name is not None:
        raise ValueError("cache, past_key_values: two names of one argument; pass one")
    given = old_name if cache is None else cache
    if given is not None and not isinstance(given, SpikeCache):
        raise ValueError(
            f"cache: {type(given).__name__} is not supported; pass use_cache=True, which makes a "
            "SpikeCache"
        )
    return given


def new_mask(mask: Tensor | None, time: int, cache: SpikeCache | None) -> Tensor | None:
    """Return the attention mask of the new ids, bool [B, T]; None: all are text.

    Raises:
        ValueError: the mask has the shape of neither the new ids nor all ids.
    """
    if mask is None:
        return None
    read = 0 if cache is None else cache.get_seq_length()
    if mask.ndim != 2 or mask.shape[1] not in (time, read + time):
        raise ValueError(
            f"attention_mask: of shape {[*mask.shape]}, but there are {time} new ids and {read} in "
            "the cache; pass the padding mask of the new ids, [B, T], or of all"
        )
    return mask[:, -time:].bool()


def rows_to_compute(logits_to_keep: int | Tensor, time: int, context: int) -> int:
    """Return the number of last rows to compute, of `time`.

    A tensor of row numbers [n] needs all, and 0 means all.

    Raises:
        ValueError: they are more than the context.
    """
    rows = time if isinstance(logits_to_keep, Tensor) else min(logits_to_keep or time, time)
    if rows > context:
        raise ValueError(
            f"input_ids: {time} tokens are more than the context; pass fewer, or a logits_to_keep "
            f"up to {context}"
        )
    return rows
