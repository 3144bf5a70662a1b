"""Training data: batches and validation windows, and facts about their tokenizer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spiketok import Tokenizer

from ..runs.trained_ids import TrainedIds

# Ids, and a loss mask of the same shape; None: all targets count.
Batch: TypeAlias = tuple[NDArray[np.integer], NDArray[np.bool_] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFacts:
    """Tokenizer facts that training needs.

    Attributes:
        byte_lengths: bytes of each id, [vocab_size].
        eos_id: the id between documents.
        score_name: name of the score in the metrics, after `validation_`.
    """

    byte_lengths: NDArray[np.int64]
    eos_id: int
    score_name: str = "bits_per_byte"

    @property
    def vocab_size(self) -> int:
        """Vocabulary size."""
        return len(self.byte_lengths)


def tokenizer_facts(tokenizer: Tokenizer) -> TokenizerFacts:
    """Return the facts about a tokenizer."""
    return TokenizerFacts(
        byte_lengths=tokenizer.byte_lengths,
        eos_id=tokenizer.eos_id,
        score_name=tokenizer.score_name,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """Training data: batches and validation windows.

    Attributes:
        open_batches: given the number of samples consumed, yields the batches after them: ids
            [batch, context + 1] and a loss mask of the same shape, or None: all targets count.
        validation: windows of ids [n, context + 1] and their loss mask, or None.
        tokenizer: facts about the tokenizer of both.
    """

    open_batches: Callable[[int], Iterator[Batch]]
    validation: Batch | None
    tokenizer: TokenizerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialWeights:
    """Initial weights of a run that come from another one.

    Attributes:
        weights: by name; they replace the random ones. A checkpoint of step 0 holds them, so that
            resuming does not need the other run.
        trained_ids: the ids that were targets in that run, bool [vocab_size]; None where that is
            unknown.
    """

    weights: Mapping[str, Tensor]
    trained_ids: TrainedIds = None
