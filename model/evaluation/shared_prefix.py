"""Log-probabilities of token sequences that begin alike: their common prefix is read once.

A pass has the sequences of one item and no others, so its shapes, and with them every bit of the
result, depend on the item alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .border import common_length
from .causal_lm import CausalLM

# Ids that a pass of its own must save: with fewer, one pass over whole sequences takes less time.
MIN_SAVED = 32


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """Token sequence whose last ids are scored."""

    ids: NDArray[np.int64]
    """[n], at most one more than the context."""
    first: int
    """Place of the first scored id, 1 … n − 1."""
    covers: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    """Ids of which one may be at a place, by place, `first` … n − 1."""

    def without_first(self, count: int) -> "TokenSequence":
        """Return the sequence without its first ids, fewer than `first`."""
        covers = {place - count: ids for place, ids in self.covers.items()}
        return TokenSequence(self.ids[count:], self.first - count, covers)


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Scores of a token sequence."""

    log_probabilities: NDArray[np.float64]
    """[n − first], ln p of each scored id, given those before it."""
    greedy: NDArray[np.bool_]
    """[n − first], which scored ids are the most probable ones."""
    covers: dict[int, float]
    """ln of the sum of the probabilities of the ids in `TokenSequence.covers`."""


def score_sequences(lm: CausalLM, sequences: Sequence[TokenSequence]) -> list[TokenScores]:
    """Return the log-probabilities of sequences, all of one item.

    Args:
        lm: gives the predictions.
        sequences: at least one.
    """
    with torch.inference_mode():
        logits, rows = _read(lm, sequences)
        table = torch.log_softmax(logits, dim=-1)
        best = table.argmax(dim=-1).cpu().numpy()
        scores = []
        for sequence, places in zip(sequences, rows, strict=True):
            targets = sequence.ids[sequence.first :]
            picked = table[torch.from_numpy(places), torch.from_numpy(targets)]
            covers = {
                place: float(
                    table[places[place - sequence.first], torch.from_numpy(ids)]
                    .double()
                    .logsumexp(0)
                )
                for place, ids in sequence.covers.items()
            }
            greedy = best[places] == targets
            scores.append(TokenScores(picked.double().cpu().numpy(), greedy, covers))
    return scores


def _read(
    lm: CausalLM, sequences: Sequence[TokenSequence]
) -> tuple[Tensor, list[NDArray[np.int64]]]:
    """Return logits [N, V], and for each sequence the rows that predict its scored ids."""
    inputs = [sequence.ids[:-1] for sequence in sequences]
    shared = len(reduce(_common, inputs))
    if not lm.shares_prefixes or shared * (len(inputs) - 1) < MIN_SAVED:
        shared = 0
    starts = [sequence.first - 1 for sequence in sequences]
    branches, numbers = _distinct([ids[shared:] for ids in inputs])
    longest = max(map(len, branches), default=0)
    needed = [np.zeros((len(branches), longest), bool), np.zeros((1, shared), bool)]
    for number, start, ids in zip(numbers, starts, inputs, strict=True):
        needed[1][0, start:] |= start < shared
        if number >= 0:
            needed[0][number, max(0, start - shared) : len(ids) - shared] = True
    # Row number of each needed place: those of the prefix come first.
    prefix_rows = np.cumsum(needed[1][0]) - 1
    offset = int(needed[1].sum())
    branch_rows = (np.cumsum(needed[0]) - 1).reshape(needed[0].shape) + offset
    rows = [
        np.concatenate(
            [
                prefix_rows[start:shared],
                branch_rows[number, max(0, start - shared) : len(ids) - shared]
                if number >= 0
                else np.zeros(0, np.int64),
            ]
        )
        for number, start, ids in zip(numbers, starts, inputs, strict=True)
    ]
    parts, cache = [], None
    if shared:
        needed[1][0, -1] = True  # a pass has at least one row
        logits, cache = lm.read(
            _tensor(lm, inputs[0][None, :shared]),
            _tensor(lm, needed[1]),
            extend=longest,
            repeat=len(branches),
        )
        parts.append(logits[:offset])
    if branches:
        padded = np.zeros((len(branches), longest), np.int64)
        for row, ids in zip(padded, branches, strict=True):
            row[: len(ids)] = ids
        parts.append(lm.read(_tensor(lm, padded), _tensor(lm, needed[0]), cache)[0])
    return torch.cat(parts), rows


def _common(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    return one[: common_length(one, other)]


def _distinct(branches: Sequence[NDArray[np.int64]]) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Return the branches that are not empty, without repetition, and the number of each one.

    >>> _distinct([np.array([5]), np.array([], int), np.array([5])])
    ([array([5])], [0, -1, 0])
    """
    known: dict[bytes, int] = {}
    kept: list[NDArray[np.int64]] = []
    numbers = []
    for branch in branches:
        if len(branch) and branch.tobytes() not in known:
            known[branch.tobytes()] = len(kept)
            kept.append(branch)
        numbers.append(known.get(branch.tobytes(), -1))
    return kept, numbers


def _tensor(lm: CausalLM, array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(array).to(lm.device)
