"""Scores text in bits per byte: what a compressor driven by the model would need.

bits per byte = nats / (ln 2 · bytes of the original text). Each document is a stream of its own:
it starts in the context of one separator, which is not scored, and ends with the separator, which
is scored. Every token is scored once, from what stands before it only. Of conversations the replies
alone are scored.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spiketok.errors import SpikeError

from ..assembly import Model

# Positions whose logits are held at a time: on CPUs little enough to be reused by the allocator.
ROWS_ON_CPU = 128
ROWS_ON_CUDA = 8192
# Ids; which of them and of the separator behind them are scored; the bytes scored.
_Document: TypeAlias = tuple[NDArray[np.integer], NDArray[np.bool_], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a model needed for a text."""

    nats: float
    """Sum over all tokens, separators included."""
    nats_separators: float
    """The part of `nats` that the final separators took."""
    tokens: int
    """Tokens scored, separators included."""
    bytes: int
    """Bytes of the original text."""
    documents: int

    @property
    def bits_per_byte(self) -> float:
        """Bits per original byte; infinite where there is none."""
        return self.nats / (math.log(2) * self.bytes) if self.bytes else math.inf


def score_documents(
    model: Model,
    documents: Iterable[tuple[NDArray[np.integer], int]],
    *,
    separator: int,
    context: int,
    stride: int,
    batch_windows: int = 8,
    report: Callable[[int], None] = lambda _: None,
) -> Score:
    """Score documents with sliding windows.

    Args:
        model: gives the predictions; runs where its weights are, in their type.
        documents: pairs of ids, without any separator, and the bytes of the original text.
        separator: the id that ends each document.
        context: tokens per window, at most the model's.
        stride: tokens by which windows move on, 1 … context. Every token but a document's first
            ones is predicted from at least context − stride + 1 tokens before it.
        batch_windows: windows per forward pass.
        report: called after each pass with the tokens passed so far.

    Raises:
        SpikeError: context or stride is out of range, or an id is not the model's.
    """
    return _score(
        model,
        ((ids, np.ones(len(ids) + 1, bool), text_bytes) for ids, text_bytes in documents),
        separator=separator,
        context=context,
        stride=stride,
        batch_windows=batch_windows,
        report=report,
    )


def score_replies(
    model: Model,
    conversations: Iterable[tuple[NDArray[np.integer], NDArray[np.bool_], int]],
    *,
    separator: int,
    context: int,
    stride: int,
    batch_windows: int = 8,
    report: Callable[[int], None] = lambda _: None,
) -> Score:
    """Score what assistants say, each token from all that stands before it.

    A conversation is ids [n] without any separator, the mask [n] of those to score, and the bytes
    that these stand for, markers standing for none. All else is as for `score_documents`.

    Returns:
        Nats, tokens and bytes of the replies alone; no separator is scored.
    """
    return _score(
        model,
        ((ids, np.append(mask, False), n_bytes) for ids, mask, n_bytes in conversations),
        separator=separator,
        context=context,
        stride=stride,
        batch_windows=batch_windows,
        report=report,
    )


def _score(
    model: Model,
    documents: Iterable[_Document],
    *,
    separator: int,
    context: int,
    stride: int,
    batch_windows: int,
    report: Callable[[int], None],
) -> Score:
    check_windows(model, context, stride)
    nats = nats_separators = 0.0
    tokens = passed = n_bytes = n_documents = 0
    windows = _windows(documents, separator, context, stride, model.look_back)
    while batch := list(islice(windows, batch_windows)):
        fresh = _fresh_nats(model, batch, separator)
        nats += sum(float(part.sum()) for part in fresh)
        tokens += sum(len(part) for part in fresh)
        passed += sum(len(window.counted) for window in batch)
        for window, part in zip(batch, fresh, strict=True):
            if window.text_bytes is not None:
                if window.counted[-1]:
                    nats_separators += float(part[-1])
                n_bytes += window.text_bytes
                n_documents += 1
        report(passed)
    return Score(
        nats=nats,
        nats_separators=nats_separators,
        tokens=tokens,
        bytes=n_bytes,
        documents=n_documents,
    )


def validation_score(
    model: Model,
    windows: NDArray[np.integer],
    byte_lengths: NDArray[np.int64],
    *,
    mask: NDArray[np.bool_] | None = None,
    batch_windows: int = 8,
) -> Score:
    """Score windows [n, context + 1] each for itself; quicker and a little worse than documents.

    The bytes are those that the predicted ids stand for (`byte_lengths`, [vocab_size]). Documents
    are not told apart: `nats_separators` and `documents` are 0. With a mask of the windows' shape
    nats, tokens and bytes are those of the targets inside it alone.
    """
    nats = 0.0
    for first in range(0, len(windows), batch_windows):
        ids = torch.from_numpy(windows[first : first + batch_windows].astype(np.int64))
        ids = ids.to(model.embedding.weight.device)
        with torch.inference_mode():
            hidden, wanted = model.trunk(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()
            if mask is not None:
                part = mask[first : first + batch_windows, 1:].ravel()
                chosen = torch.from_numpy(part).to(ids.device)
                hidden, wanted = hidden[chosen], wanted[chosen]
            nats += float(_nats(model, hidden, wanted).sum())
    targets = windows[:, 1:] if mask is None else windows[:, 1:][mask[:, 1:]]
    return Score(
        nats=nats,
        nats_separators=0.0,
        tokens=targets.size,
        bytes=int(byte_lengths[targets].sum()),
        documents=0,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """A stretch of a document for one forward pass."""

    stream: NDArray[np.int64]
    """The inputs, and the last target after them."""
    counted: NDArray[np.bool_]
    """Of the last targets, those that are in no window before, which are scored."""
    text_bytes: int | None
    """The document's bytes in its last window, and None in those before."""
    before: NDArray[np.int64]
    """As many ids before the inputs as the model's embeddings look back on."""


def _windows(
    documents: Iterable[_Document], separator: int, context: int, stride: int, look_back: int
) -> Iterator[_Window]:
    # Nothing looks back over a separator, so more of them stand well for what is not there.
    nothing = np.full(look_back, separator)
    for ids, counted, text_bytes in documents:
        stream = np.concatenate([[separator], ids.astype(np.int64), [separator]])
        targets = len(stream) - 1
        for start, scored, stop in window_borders(targets, context, stride):
            last = stop == targets
            before = np.concatenate([nothing, stream[max(0, start - look_back) : start]])
            yield _Window(
                stream[start : stop + 1],
                counted[scored:stop],
                text_bytes if last else None,
                before[len(before) - look_back :],
            )


def check_windows(model: Model, context: int, stride: int) -> None:
    """Refuse windows that the model cannot read or that leave targets out."""
    if not 1 <= stride <= context <= model.config.context:
        raise SpikeError(
            f"context {context}, stride {stride}: needed is 1 ≤ stride ≤ context ≤ the model's "
            f"context, {model.config.context}"
        )


def window_borders(targets: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Yield, of each window, its first input, and the targets from … to that it scores.

    >>> list(window_borders(8, 4, 3))
    [(0, 0, 4), (3, 4, 7), (4, 7, 8)]
    """
    scored = 0
    while scored < targets:
        stop = min(scored + (stride if scored else context), targets)
        yield max(0, stop - context), scored, stop
        scored = stop


def _fresh_nats(model: Model, batch: list[_Window], padding: int) -> list[Tensor]:
    """Return, per window, the nats of its targets that are scored, float64."""
    length = max(len(window.stream) for window in batch)
    ids = np.full((len(batch), length), padding, np.int64)
    fresh = np.zeros((len(batch), length - 1), bool)
    for row, window in enumerate(batch):
        end = len(window.stream)
        ids[row, :end] = window.stream
        fresh[row, end - 1 - len(window.counted) : end - 1] = window.counted
    if ids.min() < 0 or ids.max() >= model.embedding.num_embeddings:
        raise SpikeError(
            f"a document has an id outside 0 … {model.embedding.num_embeddings - 1}; "
            "encode it with the model's tokenizer"
        )
    device = model.embedding.weight.device
    tokens, mask = torch.from_numpy(ids).to(device), torch.from_numpy(fresh).to(device)
    before = None
    if model.look_back:
        before = torch.from_numpy(np.stack([window.before for window in batch])).to(device)
    with torch.inference_mode():
        nats = _nats(model, model.trunk(tokens[:, :-1], before)[mask], tokens[:, 1:][mask])
    return list(torch.split(nats.cpu(), [int(window.counted.sum()) for window in batch]))


def _nats(model: Model, hidden: Tensor, targets: Tensor) -> Tensor:
    """Return −ln p of targets [N] after hidden rows [N, D], as float64 [N]."""
    rows = ROWS_ON_CUDA if hidden.is_cuda else ROWS_ON_CPU
    pieces = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    return torch.cat(
        [functional.cross_entropy(model.logits(h), t, reduction="none").double() for h, t in pieces]
    )
