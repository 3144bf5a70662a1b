"""Attention mask for documents and padding: no token attends to another document.

A separator begins a document and padding is a document of its own. So one rule gives the mask: the
same document and not later. That is causal for any padding, and leaves no row of attention empty,
for which softmax would return NaN.
"""

import torch
from torch import Tensor

PADDING = -1


def document_ids(
    ids: Tensor, eos_id: int | None = None, attention_mask: Tensor | None = None
) -> Tensor:
    """Return the document number of each of ids [B, T]; PADDING where `attention_mask` is false.

    Without a separator all but the padding is one document.

    >>> document_ids(torch.tensor([[7, 8, 3, 9]]), 3).tolist()
    [[0, 0, 1, 1]]
    """
    is_separator = torch.zeros_like(ids) if eos_id is None else ids == eos_id
    numbers = is_separator.cumsum(dim=1)
    return numbers if attention_mask is None else numbers.masked_fill(~attention_mask, PADDING)


def document_starts(documents: Tensor) -> Tensor:
    """Return bool [B, T], true at the first token of each document of numbers [B, T]."""
    changed = documents[:, 1:] != documents[:, :-1]
    return torch.nn.functional.pad(changed, (1, 0), value=True)


def document_mask(documents: Tensor, queries: int) -> Tensor:
    """Return the attention mask of the last `queries` of documents [B, N].

    It is bool [B, 1, queries, N], true where a token attends to another.
    """
    time = torch.arange(documents.shape[1], device=documents.device)
    earlier = time <= time[-queries:, None]  # [queries, N]
    same = documents[:, None, :] == documents[:, -queries:, None]  # [B, queries, N]
    return (earlier & same).unsqueeze(1)
