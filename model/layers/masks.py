"""Attention masks and positions for texts that are padded or read in parts."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from .document_masks import document_mask

# Appends new keys and values [B, G, T, K] and returns all of them, [B, G, N, K].
UpdateKV: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def attention_inputs(
    rope: tuple[Tensor, Tensor], documents: Tensor, attention_mask: Tensor, queries: int
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the inputs of attention for the last `queries` of N tokens.

    Padding has no position, so that texts padded to one length keep their own.

    Args:
        rope: cosines and sines [positions, R].
        documents: [B, N], the number of each token's document, PADDING for padding.
        attention_mask: bool [B, N], false for padding.
        queries: number of new tokens.

    Returns:
        Their cosines and sines, [B, 1, queries, R], and their mask, bool [B, 1, queries, N].
    """
    places = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)[:, -queries:]
    cosines, sines = (table[places].unsqueeze(1) for table in rope)
    return (cosines, sines), document_mask(documents, queries)


def last_rows(rows: Tensor, last: int | None) -> Tensor:
    """Return the last of rows [..., T, X]; None: all."""
    return rows if last is None else rows[..., -last:, :]


def mask_of_last(attn_mask: Tensor | None, like: Tensor, last: int | None) -> Tensor | None:
    """Return the mask of the last of T tokens, bool [B or 1, 1, last, N].

    Args:
        attn_mask: bool [B, 1, T, N]; None: causal.
        like: [..., T, X], of the device.
        last: number of tokens; None, or all, returns `attn_mask` itself.
    """
    time = like.shape[-2]
    if last is None or last == time:
        return attn_mask
    if attn_mask is not None:
        return last_rows(attn_mask, last)
    return document_mask(torch.zeros(1, time, device=like.device), last)
