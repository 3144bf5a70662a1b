"""Keeps what a model has read, as `generate` of `transformers` wants it kept.

Part of the generated file; spike itself never imports it.
"""

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from ..decoding_cache import DecodingCache


class SpikeCache(Cache):
    """A `DecodingCache` of a window, and all ids so far, for windows that move on.

    What `transformers` asks of single layers has no answer here: there is one cache for all.
    """

    def __init__(self, decoding: DecodingCache) -> None:
        super().__init__(layers=[])
        self.decoding = decoding
        self.start = 0  # with which id the window begins
        self.ids = decoding.ids[:, :0]
        self.real = decoding.real[:, :0]

    def append(self, ids: Tensor, real: Tensor | None) -> None:
        """Take in ids [B, T] and which of them are real; None: all."""
        real = torch.ones_like(ids, dtype=torch.bool) if real is None else real
        self.ids, self.real = torch.cat([self.ids, ids], 1), torch.cat([self.real, real], 1)

    def unread(self, start: int) -> slice:
        """Let the window begin with id number `start`; return which ids it has not read yet."""
        if start != self.start:
            self.start, self.decoding.length, self.decoding.before = start, 0, 0
        return slice(start + self.decoding.length, None)

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        """Return the number of tokens read."""
        return self.ids.shape[1]

    def get_max_length(self, layer_idx: int | None = None) -> int:  # noqa: ARG002
        """Return -1: there is no end, for behind the context windows are read anew."""
        return -1

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:  # noqa: ARG002
        """Return how many tokens a mask would span, and where it would begin."""
        return self.get_seq_length() + query_length, 0

    @property
    def batch_size(self) -> int:
        """Rows."""
        return len(self.ids)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Go on with these rows; one may be there several times."""
        kept = self.decoding
        kept.keys, kept.values = (t.index_select(1, indices) for t in (kept.keys, kept.values))
        kept.ids, kept.real = (t.index_select(0, indices) for t in (kept.ids, kept.real))
        self.ids, self.real = (t.index_select(0, indices) for t in (self.ids, self.real))

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Go on with the rows that beam search has chosen."""
        self.batch_select_indices(beam_idx.to(self.ids.device))

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Go on with each row several times."""
        rows = torch.arange(len(self.ids), device=self.ids.device)
        self.batch_select_indices(rows.repeat_interleave(repeats))

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens; their number is given below zero, as `transformers` does."""
        length = self.get_seq_length() - abs(tokens_to_remove)
        self.ids, self.real = self.ids[:, :length], self.real[:, :length]
        self.decoding.length = max(0, min(self.decoding.length, length - self.start))

    def reset(self) -> None:
        """Forget everything."""
        self.crop(-self.get_seq_length())
