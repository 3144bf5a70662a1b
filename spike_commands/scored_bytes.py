"""Bytes of scored tokens, for the xz baseline of windows and replies."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spike_lm.model.training.data import Batch
from spiketok import Tokenizer

from .xz_baseline import yardstick


def window_yardstick(windows: Batch | None, tokenizer: Tokenizer) -> dict[str, float | None]:
    """Return the xz baseline of the targets of windows; nothing where there are none."""
    return {} if windows is None else yardstick(target_contents(windows, tokenizer))


def target_contents(windows: Batch, tokenizer: Tokenizer) -> Iterator[bytes]:
    """Yield the bytes of the targets of windows (n, context + 1): those inside the loss mask."""
    ids, mask = windows
    targets = [row[1:] for row in ids]
    if mask is not None:
        targets = [row[kept[1:] > 0] for row, kept in zip(targets, mask, strict=True)]
    return (text_bytes(row, tokenizer) for row in targets)


def text_bytes(ids: NDArray[Any], tokenizer: Tokenizer) -> bytes:
    """Return the bytes of ids [n] without those of special tokens, whose names are no text."""
    special = [*tokenizer.special_ids.values()]
    return tokenizer.decode_bytes(ids[~np.isin(ids, special)])
