"""Attention masks and positions for texts that are padded or read in parts."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from .attention_mask import document_mask

# Appends new keys and values [B, G, T, K] and returns all of them, [B, G, N, K].
UpdateKV: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# Cosines and sines, [T, R] or [B, 1, T, R].
RoPE: TypeAlias = tuple[Tensor, Tensor]


class AttentionInputs(NamedTuple):
    """Attention inputs besides the hidden states [B, T, D]: RoPE, mask, KV cache, rows to keep."""

    rope: RoPE
    """Cosines and sines of the T tokens."""
    attn_mask: Tensor | None = None
    """Bool [B, 1, T, N], true where a token attends to another; None: causal, and N = T."""
    update_kv: UpdateKV | None = None
    """Appends keys and values to the KV cache and returns all of them."""
    logits_to_keep: int | None = None
    """Number of last rows to return; None: all."""

    def query_rows(self, hidden_states: Tensor) -> tuple[Tensor, RoPE, Tensor | None]:
        """Return hidden states, RoPE tables and mask of the rows to keep, the only queries.

        Hidden states [B, T, D] become [B, logits_to_keep, D].
        """
        cosines, sines = (last_rows(table, self.logits_to_keep) for table in self.rope)
        attn_mask = mask_of_last(self.attn_mask, hidden_states, self.logits_to_keep)
        return last_rows(hidden_states, self.logits_to_keep), (cosines, sines), attn_mask


def padded_inputs(
    rope: RoPE, documents: Tensor, attention_mask: Tensor, queries: int
) -> tuple[RoPE, Tensor]:
    """Return RoPE tables and mask for the last `queries` of N tokens, of which some are padding.

    Padding has no position, so texts padded to one length keep theirs.

    Args:
        rope: cosines and sines [positions, R].
        documents: [B, N], the number of each token's document, PADDING for padding.
        attention_mask: bool [B, N], false for padding.
        queries: number of new tokens.

    Returns:
        Their cosines and sines, [B, 1, queries, R], and their mask, bool [B, 1, queries, N].
    """
    positions = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)[:, -queries:]
    cosines, sines = (table[positions].unsqueeze(1) for table in rope)
    return (cosines, sines), document_mask(documents, queries)


def last_rows(rows: Tensor, count: int | None) -> Tensor:
    """Return the last `count` rows of [..., T, X]; None: all."""
    return rows if count is None else rows[..., -count:, :]


def mask_of_last(attn_mask: Tensor | None, like: Tensor, count: int | None) -> Tensor | None:
    """Return the mask of the last `count` of T tokens, bool [B or 1, 1, count, N].

    Args:
        attn_mask: bool [B, 1, T, N]; None: causal.
        like: [..., T, X], of the device.
        count: number of tokens; None, or all, returns `attn_mask` itself.
    """
    time = like.shape[-2]
    if count is None or count == time:
        return attn_mask
    if attn_mask is not None:
        return last_rows(attn_mask, count)
    return document_mask(torch.zeros(1, time, device=like.device), count)
