"""Hidden states at the fresh targets of windows, in the order of the text.

Scores, context mixing and test-time training use these.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel
from .sliding_windows import Window

# Positions whose logits are held at a time: on CPUs few enough for the allocator to reuse memory.
ROWS_ON_CPU = 128
ROWS_ON_CUDA = 8192
# Tokens in a pass, unless one window has more. On CPUs a layer's output then fits in the cache.
TOKENS_ON_CPU = 2048
TOKENS_ON_CUDA = 1 << 18


@dataclass(frozen=True, slots=True)
class WindowHidden:
    """Hidden states for the N scored targets of some windows."""

    hidden: Tensor
    """[N, D], from which `model.logits` computes the logits of each target."""
    windows: list[Window]
    """Windows of these fresh targets; those not counted are left out."""

    @property
    def targets(self) -> Tensor:
        """Ids [N], int64."""
        ids = np.concatenate([window.ids[window.places + 1] for window in self.windows])
        return torch.from_numpy(ids).to(self.hidden.device)

    @property
    def passed(self) -> int:
        """Fresh targets of the windows, counted or not."""
        return sum(len(window.counted) for window in self.windows)


def window_hidden_states(
    model: LanguageModel, windows: Iterable[Window], *, batch_windows: int, every: int = 0
) -> Iterator[WindowHidden]:
    """Yield the hidden states of the fresh targets of windows, in the order of the text.

    They are computed on demand, with the weights that the model then has.

    Args:
        model: runs where its weights are, in their type, in evaluation mode.
        windows: in the order of the text.
        batch_windows: windows known at a time, and the most in a pass. Windows of one length go
            through the model together.
        every: a window that reaches a multiple of `every` fresh targets, or goes over it, is
            yielded before the next one is read; 0: in any order.

    Raises:
        SpikeError: an id is not the model's.
    """
    for batch in batches(windows, batch_windows, every):
        yield from read_batch(model, batch)


def read_batch(model: LanguageModel, batch: list[Window]) -> Iterator[WindowHidden]:
    """Yield the hidden states [N, D] of the fresh targets of some windows, in the text's order."""
    most_tokens = TOKENS_ON_CUDA if model.device.type == "cuda" else TOKENS_ON_CPU
    computed: dict[int, Tensor] = {}
    done = 0
    for numbers in _passes([len(window.ids) - 1 for window in batch], most_tokens):
        hidden = _hidden_rows(model, [batch[number] for number in numbers])
        computed.update(zip(numbers, hidden, strict=True))
        ready = done
        while ready in computed:
            ready += 1
        if ready > done:
            parts = [computed.pop(number) for number in range(done, ready)]
            yield WindowHidden(torch.cat(parts), batch[done:ready])
        done = ready


def logits_in_slices(model: LanguageModel, hidden: Tensor) -> Iterator[Tensor]:
    """Yield logits [n, V] of hidden states [N, D], n at a time, which bounds the memory."""
    rows = ROWS_ON_CUDA if hidden.is_cuda else ROWS_ON_CPU
    for piece in torch.split(hidden, rows):
        with torch.inference_mode():
            yield model.logits(piece)


def batches(windows: Iterable[Window], most: int, every: int = 0) -> Iterator[list[Window]]:
    """Yield batches of at most `most` windows.

    A batch also ends with the window that reaches or passes a multiple of `every` targets.
    """
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


def _passes(lengths: list[int], most_tokens: int) -> Iterator[list[int]]:
    """Yield the numbers of the windows of each forward pass, short ones first.

    >>> list(_passes([9, 4, 9, 9, 5], 20))
    [[1, 4], [0, 2], [3]]
    """
    taken: list[int] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        if taken and (len(taken) + 1) * lengths[number] > most_tokens:
            yield taken
            taken = []
        taken.append(number)
    yield taken


def _hidden_rows(model: LanguageModel, windows: list[Window]) -> list[Tensor]:
    """Return, per window, the hidden states [n, D] that predict its counted fresh targets."""
    length = max(len(window.ids) for window in windows) - 1
    ids = np.stack([np.pad(window.ids, (0, length + 1 - len(window.ids))) for window in windows])
    _check_ids(model, ids)
    device = model.device
    prefix_ids = None
    if model.lookback:
        prefix_ids = torch.from_numpy(np.stack([window.before for window in windows])).to(device)
    first = min(len(window.ids) - 1 - len(window.counted) for window in windows)
    with torch.inference_mode():
        inputs = torch.from_numpy(ids).to(device)[:, :-1]
        hidden_states = model.backbone(inputs, prefix_ids, logits_to_keep=length - first)
        return [
            rows[window.places - first]
            for rows, window in zip(hidden_states.unbind(), windows, strict=True)
        ]


def _check_ids(model: LanguageModel, ids: NDArray[np.int64]) -> None:
    if ids.min() < 0 or ids.max() >= model.vocab_size:
        raise SpikeError(
            f"a document has an id outside 0 … {model.vocab_size - 1}; "
            "encode it with the model's tokenizer"
        )
