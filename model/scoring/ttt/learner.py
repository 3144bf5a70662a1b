"""Score-first test-time training (TTT): the model is trained on a chunk after scoring it.

From openai/parameter-golf PR #851. Every score is that of a causal predictor: weights are a
function of the targets before the chunk, and of their total number where the rate falls. A decoder
that reads the same ids computes the same weights, to the bit on one machine with one number of
threads. So do several ranks (`distributed.py`) that all read them.

Targets are trained on in sequences as long as a window, cut from all documents in a row, each ended
by the separator. So a model that masks between documents does so here, too. The model is in
evaluation mode, where every target counts and memory tokens precede a sequence.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from spiketok.errors import SpikeError

from ...chunked_backward import chunked_backward
from ...config.ttt import TTTConfig, ttt_lr
from ...distributed import all_gather, rank, world_size
from ...families.language_model import LanguageModel
from ...families.parameter_roles import swapped_weights
from .trainable_weights import (
    assign_gradients,
    chosen_parameters,
    start_learned,
    trainable_only,
    update_means,
    write_weights,
)

SEQUENCES_PER_PASS = 8
CLIP = 1.0  # norm of the gradient
BETAS, MOMENTUM = (0.9, 0.999), 0.9
# The model's look-back and one input more before the targets, int64.
_Sequence: TypeAlias = NDArray[np.int64]


class TTTLearner:
    """Learner that reads all targets in order and trains the model after each complete chunk."""

    every: int
    """Targets per chunk, 0: it never learns. No pass may score targets of two chunks."""

    def __init__(
        self,
        model: LanguageModel,
        settings: TTTConfig,
        *,
        targets: int,
        context: int,
        eos_id: int,
        byte_lengths: NDArray[np.int64],
    ) -> None:
        """Initialise; `ttt_learner` documents the arguments, and restores the weights."""
        self._model, self._settings = model, settings
        self._targets, self._context = targets, context
        self.every = settings.chunk if settings.epochs else 0
        device = model.device
        self._byte_lengths = torch.from_numpy(byte_lengths.astype(np.float32)).to(device)
        self._learned = start_learned(model, settings)
        self._parameters = [learned.parameter for learned in self._learned]
        self._leaves = [leaf for learned in self._learned for leaf in learned.leaves]
        self._optimizer: torch.optim.Optimizer
        if settings.optimizer == "adamw":
            self._optimizer = torch.optim.AdamW(self._leaves, betas=BETAS, weight_decay=0.0)
        else:
            self._optimizer = torch.optim.SGD(self._leaves, momentum=MOMENTUM)
        # Embeddings do not look back over a separator, so separators can replace missing ids.
        self._before = np.full(model.lookback + 1, eos_id, np.int64)
        self._unlearned: list[NDArray[np.int64]] = []
        self._passed = 0

    def read(self, ids: NDArray[np.integer]) -> None:
        """Read the next scored targets [n]; train if they complete a chunk.

        A chunk ends with the call whose targets reach or pass a multiple of `every`. The last chunk
        is not trained on, because no target follows it.

        Raises:
            SpikeError: a gradient is not finite.
        """
        if not self.every:
            return
        self._unlearned.append(ids.astype(np.int64))
        before, self._passed = self._passed, self._passed + len(ids)
        if self._passed // self.every > before // self.every and self._passed < self._targets:
            self._learn(self._passed // self.every - 1)

    def _learn(self, chunk: int) -> None:
        chunks = -(-self._targets // self.every)
        for group in self._optimizer.param_groups:
            group["lr"] = ttt_lr(self._settings, chunk, chunks)
        ids = np.concatenate([self._before, *self._unlearned])
        self._unlearned, self._before = [], ids[len(ids) - len(self._before) :]
        sequences = split_sequences(ids, self._model.lookback, self._context)
        size = self._settings.batch
        write_weights(self._learned)
        with trainable_only(self._model, self._parameters):
            for _ in range(self._settings.epochs):
                for first in range(0, len(sequences), size):
                    self._step(sequences[first : first + size], chunk)
        write_weights(self._learned, means=True)

    def _step(self, sequences: Sequence[_Sequence], chunk: int) -> None:
        passes = [*of_one_length(sequences)]
        count = self._count(sequences)
        totals = [torch.zeros_like(parameter) for parameter in self._parameters]
        for first in range(0, len(passes), world_size()):
            turn = first + rank()
            own = self._gradients(passes[turn] if turn < len(passes) else [], count)
            # Added in the order of the passes, so that the sum equals that of one rank to the bit.
            for gradients in all_gather(own)[: len(passes) - first]:
                for total, gradient in zip(totals, gradients, strict=True):
                    total.add_(gradient)
        assign_gradients(self._learned, totals)
        if not torch.nn.utils.clip_grad_norm_(self._leaves, CLIP).isfinite():
            raise SpikeError(
                f"test-time training: the gradient in chunk {chunk + 1} is not finite; lower `rate`"
            )
        self._optimizer.step()
        update_means(self._learned, self._settings.polyak)
        write_weights(self._learned)

    def _count(self, sequences: Sequence[_Sequence]) -> float:
        """Return the divisor of the losses of sequences, never zero."""
        targets = np.concatenate([row[self._model.lookback + 1 :] for row in sequences])
        if not self._settings.by_bytes:
            return float(len(targets))
        weights = self._byte_lengths[torch.from_numpy(targets).to(self._byte_lengths.device)]
        return max(1.0, weights.double().sum().item())

    def _gradients(self, rows: Sequence[_Sequence], count: float) -> list[Tensor]:
        """Return the gradients of a pass over sequences of one length; zeros without any."""
        model = self._model
        if rows:
            ids = torch.from_numpy(np.stack(rows)).to(model.device)
            prefix_ids = ids[:, : model.lookback] if model.lookback else None
            inputs, targets = ids[:, model.lookback : -1], ids[:, model.lookback + 1 :]

            def loss_of(hidden: Tensor, ids: Tensor) -> Tensor:
                nats = functional.cross_entropy(model.logits(hidden), ids, reduction="none")
                if self._settings.by_bytes:
                    nats = nats * self._byte_lengths[ids]
                return nats.sum() / count

            chunked_backward(model.backbone(inputs, prefix_ids), [targets], None, loss_of)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        return gradients


@contextmanager
def ttt_learner(
    model: LanguageModel,
    settings: TTTConfig,
    *,
    targets: int,
    context: int,
    eos_id: int,
    byte_lengths: NDArray[np.int64],
) -> Iterator[TTTLearner]:
    """Yield the learner of the model; after the block its weights are as before.

    Args:
        model: in evaluation mode; it also scores the next targets.
        settings: of the learning.
        targets: total number that the learner will read.
        context: tokens per sequence to learn from, at most the model's.
        eos_id: the id before the first target.
        byte_lengths: bytes of each id, [vocab_size].

    Raises:
        SpikeError: the settings do not fit the model.
    """
    with swapped_weights(model, dict(chosen_parameters(model, settings))):
        yield TTTLearner(
            model,
            settings,
            targets=targets,
            context=context,
            eos_id=eos_id,
            byte_lengths=byte_lengths,
        )


def split_sequences(ids: NDArray[np.int64], lookback: int, length: int) -> list[_Sequence]:
    """Cut `lookback` + 1 ids and the targets after them, [n], into sequences.

    Each has `length` targets and `lookback` + 1 ids before them; the last one may be shorter.

    >>> [row.tolist() for row in split_sequences(np.arange(7), 1, 3)]
    [[0, 1, 2, 3, 4], [3, 4, 5, 6]]
    """
    targets = len(ids) - lookback - 1
    return [ids[begin : begin + lookback + 1 + length] for begin in range(0, targets, length)]


def of_one_length(sequences: Sequence[_Sequence]) -> Iterator[Sequence[_Sequence]]:
    """Yield a few sequences at a time, all of one length; the last one alone if it is shorter."""
    full = [row for row in sequences if len(row) == len(sequences[0])]
    for first in range(0, len(full), SEQUENCES_PER_PASS):
        yield full[first : first + SEQUENCES_PER_PASS]
    if len(full) < len(sequences):
        yield sequences[-1:]
