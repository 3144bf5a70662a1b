"""Logits of the tokens of documents, in order, in the windows of `score_documents`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel
from .hidden_states import window_hidden_states
from .sliding_windows import NO_END, WindowConfig, check_windows, sliding_windows
from .ttt.learner import TTTLearner

# Rows of logits per slice: few enough to stay in a CPU's cache while they are read.
ROWS = 128
Documents = Sequence[tuple[NDArray[np.integer], int]]


@dataclass(frozen=True, slots=True)
class TokenLogits:
    """Token logits: consecutive tokens of the text, and the logits that predict each of them."""

    ids: NDArray[np.int64]
    """[n]: the tokens."""
    logits: Tensor | None
    """[n, V], on the CPU; None where no network takes part."""
    ends: NDArray[np.int64]
    """[n]: the bytes of the document that ends with the token, NO_END where none does."""


def piece_of(rows: TokenLogits, start: int, stop: int) -> TokenLogits:
    """Return the rows `start` … `stop`."""
    part = slice(start, stop)
    logits = None if rows.logits is None else rows.logits[part]
    return TokenLogits(rows.ids[part], logits, rows.ends[part])


def stream_logits(
    model: LanguageModel,
    documents: Documents,
    windows: WindowConfig,
    *,
    eos_id: int,
    learner: TTTLearner | None = None,
) -> Iterator[TokenLogits]:
    """Yield the tokens of documents, each with its separator, and their logits; all in order.

    Args:
        model: gives the predictions.
        documents: pairs of ids [n], without any separator, and the bytes of the original text.
        windows: the windows in which the model reads them.
        eos_id: the id that ends each document.
        learner: reads the tokens of a pass after the caller has taken all of them.

    Raises:
        SpikeError: as for `score_documents`.
    """
    check_windows(model, windows)
    cut = sliding_windows(
        ((ids, np.ones(len(ids) + 1, bool), text_bytes) for ids, text_bytes in documents),
        windows,
        eos_id=eos_id,
        lookback=model.lookback,
    )
    every = learner.every if learner else 0
    passes = window_hidden_states(model, cut, batch_windows=windows.batch_windows, every=every)
    for part in passes:
        ids = np.concatenate([window.fresh for window in part.windows])
        ends = np.concatenate([window.ends for window in part.windows])
        for first in range(0, len(ids), ROWS):
            piece = slice(first, first + ROWS)
            with torch.inference_mode():
                logits = model.logits(part.hidden[piece]).float().cpu()
            yield TokenLogits(ids[piece], logits, ends[piece])
        if learner:
            learner.read(ids)


def uniform_rows(
    documents: Iterable[tuple[NDArray[np.integer], int]],
    *,
    eos_id: int,
    vocab_size: int,
    size: int,
) -> Iterator[TokenLogits]:
    """Yield the tokens of documents without a network, `size` at a time.

    Args:
        documents: pairs of ids [n], without any separator, and the bytes of the original text.
        eos_id: the id that ends each document.
        vocab_size: number of ids.
        size: tokens per part.

    Raises:
        SpikeError: an id is outside the vocabulary.
    """
    for text, text_bytes in documents:
        ids = np.append(text.astype(np.int64), eos_id)
        if ids.min() < 0 or ids.max() >= vocab_size:
            raise SpikeError(
                f"a document has an id outside 0 … {vocab_size - 1}; "
                "encode it with the model's tokenizer"
            )
        ends = np.append(np.full(len(text), NO_END), text_bytes)
        for first in range(0, len(ids), size):
            piece = slice(first, first + size)
            yield TokenLogits(ids[piece], None, ends[piece])
