"""Says where each token stands and what it may see, in texts that are padded or read in parts."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from .document_masks import visible_in_document

# Takes in new keys and values [B, G, T, K], gives back all there are, [B, G, N, K].
Keep: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def sight(
    tables: tuple[Tensor, Tensor], documents: Tensor, real: Tensor, queries: int
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return what attention needs for the last `queries` of N tokens.

    Padding has no position, so that texts padded to one length keep their own.

    Args:
        tables: cosines and sines [positions, R].
        documents: [B, N], the number of each token's document, PADDING for padding.
        real: bool [B, N], false for padding.
        queries: how many tokens are new.

    Returns:
        Their cosines and sines, [B, 1, queries, R], and bool [B, 1, queries, N], what each sees.
    """
    places = (real.cumsum(dim=1) - 1).clamp(min=0)[:, -queries:]
    cosines, sines = (table[places].unsqueeze(1) for table in tables)
    return (cosines, sines), visible_in_document(documents, queries)


def last_rows(rows: Tensor, last: int | None) -> Tensor:
    """Return the last of rows [..., T, X]; None: all."""
    return rows if last is None else rows[..., -last:, :]


def sight_of_last(visible: Tensor | None, like: Tensor, last: int | None) -> Tensor | None:
    """Return what the last of T tokens see, bool [B or 1, 1, last, N].

    Args:
        visible: bool [B, 1, T, N]; None: each sees all before it.
        like: [..., T, X], of the device.
        last: how many; None, or all, gives `visible` itself.
    """
    time = like.shape[-2]
    if last is None or last == time:
        return visible
    if visible is not None:
        return last_rows(visible, last)
    return visible_in_document(torch.zeros(1, time, device=like.device), last)
