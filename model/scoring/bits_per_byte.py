"""Bits per byte of text: the size that a compressor with the model's predictions reaches.

bits per byte = nats / (ln 2 · bytes of the original text). A stream of text starts in the context
of one separator, which is not scored, and a document ends with the separator, which is scored.
Every token is scored once, from the tokens before it only. Of conversations only the replies are
scored.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spiketok.errors import SpikeError

from ..distributed import all_reduce_sum, rank, world_size
from ..families.language_model import LanguageModel
from .hidden_states import batches, logits_in_slices, read_batch
from .sliding_windows import (
    NO_END,
    Document,
    Window,
    WindowConfig,
    check_windows,
    sliding_windows,
)

if TYPE_CHECKING:
    from .ttt.learner import TTTLearner


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score of a text: nats, tokens and bytes."""

    nats: float
    """Sum over all tokens, separators included."""
    nats_separators: float
    """Part of `nats` for the final separators."""
    tokens: int
    """Tokens scored, separators included."""
    bytes: int
    """Bytes of the original text."""
    documents: int
    document_nats: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros(0), repr=False, compare=False
    )
    """[documents]: the nats of each; of `score_replies` those of its replies."""

    @property
    def bits_per_byte(self) -> float | None:
        """Bits per byte of the original text; None where it has no byte."""
        return bits_per_byte(self.nats, self.bytes)


def nats_to_bits(nats: float) -> float:
    """Return bits: nats / ln 2."""
    return nats / math.log(2)


def bits_per_byte(nats: float, n_bytes: int) -> float | None:
    """Return bits per byte, nats / (ln 2 · bytes); None where there is no byte.

    >>> bits_per_byte(math.log(2), 4), bits_per_byte(1.0, 0)
    (0.25, None)
    """
    return nats / (math.log(2) * n_bytes) if n_bytes else None


def score_documents(
    model: LanguageModel,
    documents: Iterable[tuple[NDArray[np.integer], int]],
    windows: WindowConfig,
    *,
    eos_id: int,
    learner: "TTTLearner | None" = None,
    report: Callable[[int], None] = lambda _: None,
) -> Score:
    """Score documents with sliding windows.

    With several ranks, all make the same call and each reads its part of the windows. All return
    the same score, to the bit that of one rank alone.

    Args:
        model: gives the predictions; runs where its weights are, in their type.
        documents: pairs of ids [n], without any separator, and the bytes of the original text.
        windows: the windows in which the model reads them.
        eos_id: the id that ends each document.
        learner: trains the model on scored text (`ttt/learner.py`); None: no training.
        report: called after each batch with the tokens passed so far.

    Raises:
        SpikeError: context or stride is out of range, or an id is not the model's.
    """
    return _score(
        model,
        ((ids, np.ones(len(ids) + 1, bool), text_bytes) for ids, text_bytes in documents),
        windows,
        eos_id=eos_id,
        learner=learner,
        report=report,
    )


def score_replies(
    model: LanguageModel,
    conversations: Iterable[tuple[NDArray[np.integer], NDArray[np.bool_], int]],
    windows: WindowConfig,
    *,
    eos_id: int,
    report: Callable[[int], None] = lambda _: None,
) -> Score:
    """Score the replies of assistants, each token from all tokens before it.

    Args:
        model: gives the predictions.
        conversations: ids [n] without any separator, the mask [n] of those to score, and the bytes
            of these, none for markers.
        windows: the windows in which the model reads them.
        eos_id: the id that ends each conversation.
        report: called after each batch with the tokens passed so far.

    Returns:
        Nats, tokens and bytes of the replies alone; no separator is scored.

    Raises:
        SpikeError: as for `score_documents`.
    """
    return _score(
        model,
        ((ids, np.append(mask, False), n_bytes) for ids, mask, n_bytes in conversations),
        windows,
        eos_id=eos_id,
        report=report,
    )


def _score(
    model: LanguageModel,
    documents: Iterable[Document],
    windows: WindowConfig,
    *,
    eos_id: int,
    report: Callable[[int], None],
    learner: "TTTLearner | None" = None,
) -> Score:
    check_windows(model, windows)
    tokens = passed = n_bytes = n_documents = 0
    cut = sliding_windows(documents, windows, eos_id=eos_id, lookback=model.lookback)
    sums: list[list[float]] = []  # of nats, and of those of separators, in each batch
    by_document = _DocumentNats()
    every = learner.every if learner else 0
    for number, batch in enumerate(batches(cut, windows.batch_windows, every)):
        sums.append([0.0, 0.0])
        by_document.begin(batch)
        for rows in read_batch(model, batch) if number % world_size() == rank() else ():
            token_nats = _nats(model, rows.hidden, rows.targets).cpu().numpy()
            ends = np.concatenate([window.ends[window.counted] for window in rows.windows])
            sums[-1][0] += float(token_nats.sum())
            sums[-1][1] += float(token_nats[ends != NO_END].sum())
            by_document.add(token_nats)
        ends = np.concatenate([window.ends for window in batch])
        tokens += sum(int(window.counted.sum()) for window in batch)
        n_bytes += int(ends[ends != NO_END].sum())
        n_documents += int((ends != NO_END).sum())
        passed += len(ends)
        report(passed)
        if learner:
            learner.read(np.concatenate([window.fresh for window in batch]))
    table = torch.tensor(sums, dtype=torch.float64).reshape(-1, 2).to(model.device)
    parts = by_document.parts.to(table.device)
    all_reduce_sum([table, parts])  # the numbers of other ranks' batches are zero here
    nats, nats_separators = (sum(column) for column in table.T.tolist())
    if not math.isfinite(nats):
        raise SpikeError("the model's predictions are not finite; use another checkpoint")
    return Score(
        nats=nats,
        nats_separators=nats_separators,
        tokens=tokens,
        bytes=n_bytes,
        documents=n_documents,
        document_nats=by_document.totals(parts.cpu().numpy()),
    )


class _DocumentNats:
    """Nats of each document: partial sums of each batch, added up in its order."""

    def __init__(self) -> None:
        self._sums: list[NDArray[np.float64]] = [np.zeros(0)]
        self._numbers: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]  # of documents
        self._owners = self._numbers[0]  # of each target to come, counted from the batch's first
        self._documents = 0  # that have ended

    def begin(self, batch: Sequence[Window]) -> None:
        """Begin with the targets of a batch of windows."""
        ended = np.concatenate([window.ends for window in batch]) != NO_END
        counted = np.concatenate([window.counted for window in batch])
        self._owners = np.cumsum(np.append(0, ended[:-1]))[counted]
        self._numbers.append(self._documents + np.arange(1 + int(ended.sum())))
        self._sums.append(np.zeros(len(self._numbers[-1])))
        self._documents += int(ended.sum())

    def add(self, nats: NDArray[np.float64]) -> None:
        """Add the nats of the next targets that are scored."""
        np.add.at(self._sums[-1], self._owners[: len(nats)], nats)
        self._owners = self._owners[len(nats) :]

    @property
    def parts(self) -> Tensor:
        """The partial sums, float64; of batches that another rank reads they are zero."""
        return torch.from_numpy(np.concatenate(self._sums))

    def totals(self, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums [documents] of parts that all ranks have added up."""
        totals = np.zeros(self._documents + 1)
        np.add.at(totals, np.concatenate(self._numbers), parts)
        return totals[:-1]


def validation_score(
    model: LanguageModel,
    windows: NDArray[np.integer],
    byte_lengths: NDArray[np.int64],
    *,
    mask: NDArray[np.bool_] | None = None,
    batch_windows: int = 8,
) -> Score:
    """Score windows, each without the one before; quicker and a little worse than documents.

    Documents are not distinguished: `nats_separators` and `documents` are 0.

    Args:
        model: gives the predictions.
        windows: ids [n, context + 1].
        byte_lengths: bytes of each id, [vocab_size].
        mask: [n, context + 1]; nats, tokens and bytes are those of the targets in it. None: all.
        batch_windows: windows per forward pass.
    """
    nats = 0.0
    for first in range(0, len(windows), batch_windows):
        ids = torch.from_numpy(windows[first : first + batch_windows].astype(np.int64))
        ids = ids.to(model.device)
        with torch.inference_mode():
            # [B · T, D] and [B · T]
            hidden, next_ids = model.backbone(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten()
            if mask is not None:
                part = mask[first : first + batch_windows, 1:].ravel()
                counted = torch.from_numpy(part).to(ids.device)
                hidden, next_ids = hidden[counted], next_ids[counted]
            nats += float(_nats(model, hidden, next_ids).sum())
    targets = windows[:, 1:] if mask is None else windows[:, 1:][mask[:, 1:]]
    return Score(
        nats=nats,
        nats_separators=0.0,
        tokens=targets.size,
        bytes=int(byte_lengths[targets].sum()),
        documents=0,
    )


def _nats(model: LanguageModel, hidden: Tensor, targets: Tensor) -> Tensor:
    """Return −ln p of targets [N] after hidden rows [N, D], as float64 [N]."""
    nats = torch.empty(len(targets), dtype=torch.float64, device=targets.device)
    done = 0
    for logits in logits_in_slices(model, hidden):
        piece = slice(done, done + len(logits))
        nats[piece] = functional.cross_entropy(logits, targets[piece], reduction="none")
        done = piece.stop
    return nats
