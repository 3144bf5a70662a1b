"""Reads windows and gives the hidden rows behind their fresh targets, in the order of the text.

What a score is made of: whoever mixes other predictors in, or learns from a text once it is
scored, goes on from here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from ..assembly import Model
from .sliding_windows import Window

# Positions whose logits are held at a time: on CPUs little enough to be reused by the allocator.
ROWS_ON_CPU = 128
ROWS_ON_CUDA = 8192


@dataclass(frozen=True, slots=True)
class FreshRows:
    """What one pass says of N targets that are scored."""

    hidden: Tensor
    """[N, D], of which `model.logits` makes what it says of each target."""
    targets: Tensor
    """Ids [N], int64."""
    windows: list[Window]
    """Whose fresh targets these are, those left out that are not counted."""

    @property
    def passed(self) -> int:
        """Fresh targets of the windows, counted or not."""
        return sum(len(window.counted) for window in self.windows)


def fresh_rows(
    model: Model, windows: Iterable[Window], *, batch_windows: int, every: int = 0
) -> Iterator[FreshRows]:
    """Yield the fresh rows of windows, pass by pass.

    A pass is made when it is asked for, with the weights that the model then has.

    Args:
        model: runs where its weights are, in their type, in evaluation mode.
        windows: in the order of the text, which is the order of the rows.
        batch_windows: most windows per pass.
        every: a pass ends, too, with the window that reaches a multiple of so many fresh targets
            or goes over it; 0: nowhere.

    Raises:
        SpikeError: an id is not the model's.
    """
    for batch in passes(windows, batch_windows, every):
        yield read_pass(model, batch)


def logits_in_slices(model: Model, hidden: Tensor) -> Iterator[Tensor]:
    """Yield logits [n, V] of hidden rows [N, D], n at a time, which bounds the memory."""
    rows = ROWS_ON_CUDA if hidden.is_cuda else ROWS_ON_CPU
    for piece in torch.split(hidden, rows):
        with torch.inference_mode():
            yield model.logits(piece)


def passes(windows: Iterable[Window], most: int, every: int = 0) -> Iterator[list[Window]]:
    """Yield the windows of each pass of `fresh_rows`, at most so many."""
    batch: list[Window] = []
    passed = 0
    for window in windows:
        batch.append(window)
        before, passed = passed, passed + len(window.counted)
        if len(batch) == most or (every and passed // every > before // every):
            yield batch
            batch = []
    if batch:
        yield batch


def read_pass(model: Model, batch: list[Window]) -> FreshRows:
    """Return the fresh rows of windows."""
    length = max(len(window.ids) for window in batch)
    ids = np.zeros((len(batch), length), np.int64)
    fresh = np.zeros((len(batch), length - 1), bool)
    for row, window in enumerate(batch):
        end = len(window.ids)
        ids[row, :end] = window.ids
        fresh[row, end - 1 - len(window.counted) : end - 1] = window.counted
    _check_ids(model, ids)
    device = model.embedding.weight.device
    tokens, mask = torch.from_numpy(ids).to(device), torch.from_numpy(fresh).to(device)
    before = None
    if model.look_back:
        before = torch.from_numpy(np.stack([window.before for window in batch])).to(device)
    with torch.inference_mode():
        hidden = model.trunk(tokens[:, :-1], before)[mask]
    return FreshRows(hidden, tokens[:, 1:][mask], batch)


def _check_ids(model: Model, ids: NDArray[np.int64]) -> None:
    if ids.min() < 0 or ids.max() >= model.embedding.num_embeddings:
        raise SpikeError(
            f"a document has an id outside 0 … {model.embedding.num_embeddings - 1}; "
            "encode it with the model's tokenizer"
        )
