"""Gives a model's logits for the tokens of documents in order, as `score_documents` reads them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from ..assembly import Model
from .bits_per_byte import check_windows, window_borders

# Rows of logits given at a time: few enough to stay in a CPU's cache while they are read.
ROWS = 64


@dataclass(frozen=True, slots=True)
class Rows:
    """Some tokens of a document, and what the model says before each of them."""

    ids: NDArray[np.int64]
    """[n]: the tokens."""
    logits: Tensor | None
    """[n, V], on the CPU; None where no network takes part."""
    ended: int | None
    """The document's bytes, where its separator is the last token here; else None."""


def window_rows(
    model: Model,
    documents: Iterable[tuple[NDArray[np.integer], int]],
    *,
    separator: int,
    context: int,
    stride: int,
    batch_windows: int = 8,
) -> Iterator[Rows]:
    """Yield the tokens of documents, each with its separator, and their logits; all in order.

    Arguments and errors are those of `score_documents`.
    """
    check_windows(model, context, stride)
    windows = (
        (stream, start, scored, stop, text_bytes if stop == len(stream) - 1 else None)
        for stream, text_bytes in _streams(documents, separator, model.embedding.num_embeddings)
        for start, scored, stop in window_borders(len(stream) - 1, context, stride)
    )
    device = model.embedding.weight.device
    while batch := list(islice(windows, batch_windows)):
        length = max(stop - start for _, start, _, stop, _ in batch)
        ids = np.full((len(batch), length), separator)
        # Nothing looks back over a separator, so more of them stand well for what is not there.
        before = np.full((len(batch), model.look_back), separator)
        for row, (stream, start, _, stop, _) in enumerate(batch):
            ids[row, : stop - start] = stream[start:stop]
            seen = stream[max(0, start - model.look_back) : start]
            before[row, model.look_back - len(seen) :] = seen
        with torch.inference_mode():
            behind = torch.from_numpy(before).to(device) if model.look_back else None
            hidden = model.trunk(torch.from_numpy(ids).to(device), behind)
        for row, (stream, start, scored, stop, text_bytes) in enumerate(batch):
            for first in range(scored, stop, ROWS):
                last = min(first + ROWS, stop)
                with torch.inference_mode():
                    logits = model.logits(hidden[row, first - start : last - start]).float().cpu()
                yield Rows(
                    stream[first + 1 : last + 1], logits, text_bytes if last == stop else None
                )


def plain_rows(
    documents: Iterable[tuple[NDArray[np.integer], int]],
    *,
    separator: int,
    vocab_size: int,
    size: int,
) -> Iterator[Rows]:
    """Yield the same without a network, `size` tokens at a time."""
    for stream, text_bytes in _streams(documents, separator, vocab_size):
        for first in range(1, len(stream), size):
            part = stream[first : first + size]
            yield Rows(part, None, text_bytes if first + size >= len(stream) else None)


def _streams(
    documents: Iterable[tuple[NDArray[np.integer], int]], separator: int, vocab_size: int
) -> Iterator[tuple[NDArray[np.int64], int]]:
    for ids, text_bytes in documents:
        stream = np.concatenate([[separator], ids.astype(np.int64), [separator]])
        if stream.min() < 0 or stream.max() >= vocab_size:
            raise SpikeError(
                f"a document has an id outside 0 … {vocab_size - 1}; "
                "encode it with the model's tokenizer"
            )
        yield stream, text_bytes
