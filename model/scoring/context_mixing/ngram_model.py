"""N-gram model: exact counts of the tokens after each context, over a base prediction.

P₀ is the base. For each known context of k tokens, c(w) is how often w followed it and C the sum
of c(w). N₁, N₂, N₃ are the numbers of w with counts of 1, 2 and more:

    Pₖ(w) = (max(c(w) − D(c(w)), 0) + (θ + D₁N₁ + D₂N₂ + D₃N₃) · Pₖ₋₁(w)) / (C + θ)

The numerators of all w add up to C + θ, so each Pₖ is a distribution if P₀ is one. The Pₖ of one w
does not depend on the others. θ = 0 with counts of contexts instead of occurrences is modified
Kneser–Ney smoothing (Chen & Goodman 1998); θ > 0 is hierarchical Pitman–Yor (Teh 2006). D = ½ and
θ = 0 is PPM-D with blending (Howard 1993). Counts come from the tokens before w alone.
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._counting import NgramCounts
from .kneser_ney import Discounts, estimate_discounts
from .ngram_counts import PrunedNgramCounts

# Tokens after which discounts are estimated again.
BLOCK = 1 << 16
NO_OTHER = np.zeros(0)


@dataclass(frozen=True, slots=True)
class ContextScores:
    """Context scores of n tokens; all but the probabilities is known before the token."""

    probabilities: NDArray[np.float64]
    """[n, max_context + 1]: Pₖ of the token."""
    over: NDArray[np.float64]
    """[n]: P of the token by all contexts of one token and more, over another base; or [0]."""
    lengths: NDArray[np.uint32]
    """[n]: of the longest context that a token followed before."""
    totals: NDArray[np.uint32]
    """[n]: number of tokens that followed it."""
    distinct: NDArray[np.uint32]
    """[n]: number of distinct tokens that followed it."""


class NgramModel:
    """N-gram counts and their predictions."""

    def __init__(
        self,
        vocab_size: int,
        *,
        max_context: int = 8,
        min_context: int = 0,
        continuation: bool = True,
        discounts: Discounts | None = None,
        initial: PrunedNgramCounts | None = None,
    ) -> None:
        """Initialise without counts, or with those of training data.

        Args:
            vocab_size: ids are below it.
            max_context: tokens in the longest contexts, so n-grams of up to one more.
            min_context: contexts below this length are left to the base.
            continuation: count the distinct tokens before an n-gram, for all but the longest.
            discounts: [max_context + 1, 4]; None: estimated from the counts as these grow.
            initial: counts to continue from.

        Raises:
            ValueError: a number is out of range, or the initial counts do not fit.
        """
        self.vocab_size = vocab_size
        self.max_context = max_context
        self.min_context = min_context
        self._counts = NgramCounts(vocab_size, max_context, continuation)
        if initial is not None:
            self._counts.load(*initial.ngrams())
        self._learned = 0
        self._estimates = discounts is None
        self.discounts = self._estimated() if discounts is None else discounts

    @property
    def bytes(self) -> int:
        """Memory of the counts, in bytes."""
        return self._counts.bytes

    def copy(self) -> "NgramModel":
        """Return another model with the same counts, which learns for itself."""
        other = copy(self)
        other._counts = self._counts.copy()
        return other

    def reserve(self, ngrams: int) -> None:
        """Reserve memory for `ngrams` n-grams at once; growing step by step takes longer."""
        self._counts.reserve(ngrams)

    def restart(self) -> None:
        """Begin a new row, without context."""
        self._counts.restart()

    def learn(self, ids: NDArray[np.integer]) -> None:
        """Count ids [n] without scoring them."""
        self._counts.learn(plain_ids(ids))
        self._note_learned(len(ids), len(ids) >= BLOCK)

    def score(
        self,
        ids: NDArray[np.integer],
        base: NDArray[np.float64],
        other: NDArray[np.float64] | None = None,
        *,
        learn: bool = True,
    ) -> ContextScores:
        """Return the scores of ids; they do not depend on how a row is divided into calls.

        Args:
            ids: the next tokens, [n].
            base: [n], probabilities without any context.
            other: [n], a second base, for `ContextScores.over`.
            learn: count each id after its score; else the next learning call discards the ids.
        """
        parts: list[tuple[NDArray[Any], ...]] = []
        start = 0
        while start < len(ids) or not parts:
            end = start + BLOCK - self._learned % BLOCK if learn else len(ids)
            part = plain_ids(ids[start:end])
            beside = NO_OTHER if other is None else other[start:end]
            parts.append(
                self._counts.score(
                    part,
                    base[start:end],
                    beside,
                    self.discounts,
                    min_context=self.min_context,
                    learn=learn,
                )
            )
            if learn:
                self._note_learned(len(part), False)
            start += max(1, len(part))
        return ContextScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def over(self, other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return [vocab_size]: the value of `ContextScores.over` for every id."""
        every: NDArray[np.float64] = self._counts.distribution(other, self.discounts, 1)[-1]
        return every

    def distributions(self, base: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return [max_context + 1, vocab_size]: Pₖ of every id as the next token, over a base.

        Equal to the last bit to the result of `score`, each id with its own base probability.
        """
        return self._counts.distribution(base, self.discounts, self.min_context)

    def longest_context(self) -> ContextScores:
        """Return facts of the next token's contexts: scores without probabilities."""
        length, total, distinct = (
            np.array([item], np.uint32) for item in self._counts.longest_context()
        )
        return ContextScores(np.empty((1, 0)), np.empty(0), length, total, distinct)

    def pruned(self, *, min_count: int = 2, max_context: int | None = None) -> PrunedNgramCounts:
        """Return the counts as tables to store: n-grams counted `min_count` times or more."""
        max_context = self.max_context if max_context is None else max_context
        return PrunedNgramCounts.of_ngrams(*self._counts.pruned(min_count, max_context))

    def _note_learned(self, tokens: int, now: bool) -> None:
        before = self._learned // BLOCK
        self._learned += tokens
        if self._estimates and (now or self._learned // BLOCK > before):
            self.discounts = self._estimated()

    def _estimated(self) -> Discounts:
        return estimate_discounts(self._counts.counts_of_counts())


def plain_ids(ids: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    """Return ids [n] as uint16 or uint32.

    Raises:
        ValueError: an id is not one of 32 bits.
    """
    if ids.dtype == np.uint16:
        return np.ascontiguousarray(ids, np.uint16)
    if ids.dtype == np.uint32:
        return np.ascontiguousarray(ids, np.uint32)
    if len(ids) and not 0 <= ids.min() <= ids.max() < 1 << 32:
        raise ValueError("an id is not in the vocabulary")
    return ids.astype(np.uint32)
