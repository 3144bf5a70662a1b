"""Native code of context mixing; arrays are contiguous and on the CPU.

Wrong array types raise TypeError; ids out of range, and numbers that do not fit each other, raise
ValueError. Ids are uint16 or uint32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def calibrated_probabilities(
    logits: NDArray[np.float32],
    target_ids: NDArray[np.uint32],
    bias_factors: NDArray[np.float32],
    expected_counts: NDArray[np.float64],
    *,
    use_temperature: bool,
    sharpening: float,
    min_temperature: float,
    max_temperature: float,
    use_bias: bool,
    use_avx2: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return probabilities of the target ids: plain, with temperature, with bias; and entropies.

    The results are [n, m] each, or [0, m] where not used, and [n] in nats.

    Args:
        logits: [n, V].
        target_ids: [n, m].
        bias_factors: [V], e to the power of each bias; [0] for none.
        expected_counts: [V], to which the probabilities of all ids with temperature and bias are
            added; or [0].
        use_temperature: the temperature is 1 − sharpening · (1 − H / ln V), H being the entropy.
        sharpening: of a certain prediction.
        min_temperature: lower limit of the temperature.
        max_temperature: upper limit of the temperature.
        use_bias: return the probabilities with temperature and bias.
        use_avx2: where the processor has it; the results are the same to the bit.
    """

class NgramCounts:
    """N-gram counts of a growing sequence, for contexts of up to `max_context` tokens."""

    def __init__(self, vocab_size: int, max_context: int, continuation: bool) -> None:
        """Initialise without counts.

        With `continuation` the count of an n-gram shorter than the longest is the number of
        distinct tokens before it, not of its occurrences.
        """

    def load(
        self,
        parents: NDArray[np.uint32],
        tokens: NDArray[np.uint32],
        counts: NDArray[np.uint32],
        totals: NDArray[np.uint32],
    ) -> None:
        """Load n-grams as the initial counts.

        N-gram 0 is the empty one; n-gram i + 1 is n-gram `parents[i]`, then `tokens[i]`.

        Args:
            parents: [n].
            tokens: [n].
            counts: [n], of each n-gram.
            totals: [n + 1], the count of all tokens after n-gram i, pruned ones included; not used
                where n-gram i has no children.
        """

    def pruned(
        self, min_count: int, max_context: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return parents, tokens and counts [n] and totals [n + 1] of n-grams, for `load`.

        They are those of at most `max_context` + 1 tokens with a count of at least `min_count`, and
        their prefixes.
        """

    def copy(self) -> NgramCounts:
        """Return other counts that are the same so far."""

    def reserve(self, ngrams: int) -> None:
        """Reserve table slots for this many n-grams."""

    def restart(self) -> None:
        """Begin a new sequence: the next token has no context."""

    def learn(self, ids: NDArray[Any]) -> None:
        """Count each of ids [n] after those before."""

    def score(
        self,
        ids: NDArray[Any],
        base: NDArray[np.float64],
        other_base: NDArray[np.float64],
        discounts: NDArray[np.float64],
        *,
        min_context: int,
        learn: bool,
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.uint32],
        NDArray[np.uint32],
    ]:
        """Return the probabilities [n, max_context + 1] of ids, and facts of their contexts.

        Column k uses contexts of `min_context` … k tokens. Then follow the probabilities by
        contexts of one token and more over `other_base`, [n] or [0]; and, [n] each, of the longest
        context with followers its length, their total count and how many distinct ones there are.

        Args:
            ids: [n].
            base: [n], probabilities without any context.
            other_base: [n], a second base; or [0].
            discounts: [max_context + 1, 4], by length: of counts of 1, 2 and more, and the
                strength.
            min_context: shorter contexts are not used.
            learn: count each id after its score; else the ids are discarded when learning goes on.
        """

    def distribution(
        self, base: NDArray[np.float64], discounts: NDArray[np.float64], min_context: int
    ) -> NDArray[np.float64]:
        """Return [max_context + 1, vocab_size]: the result of `score` for each id as the next."""

    def longest_context(self) -> tuple[int, int, int]:
        """Return length, total and distinct followers of the next token's longest context."""

    def counts_of_counts(self) -> NDArray[np.uint64]:
        """Return [4 · (max_context + 1)]: how many n-grams of k + 1 tokens count 1 … 4 at 4k …"""

    @property
    def ngrams(self) -> int:
        """Number of stored n-grams."""

    @property
    def bytes(self) -> int:
        """Memory of the counts."""

class MatchModel:
    """Match model: the token after the last earlier occurrence of a long context."""

    def __init__(self, vocab_size: int, lengths: NDArray[np.uint32]) -> None:
        """Use contexts of these lengths, which rise."""

    def restart(self) -> None:
        """Begin a new sequence: the next token has no context."""

    def predict(
        self, ids: NDArray[Any], learn: bool
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]:
        """Predict each of ids [n]: the token after the last occurrence of its longest known context.

        Returns:
            Predicted tokens [n] and indices [n] of the contexts' lengths, both 2³² − 1 where no
            context occurred before; and how often matches of that length were correct so far, [n].
            With `learn` each id is then added; else the ids are discarded when learning continues.
        """

    def predict_next(self) -> tuple[int, int, float]:
        """Return the same for the next id."""

class Mixer:
    """Mixer (soft-Bayes): weighted mean of experts' probabilities, with several weight sets."""

    def __init__(
        self,
        weight_sets: int,
        initial_weights: NDArray[np.float64],
        min_rate: float,
        fixed_share: float,
    ) -> None:
        """Begin with the weights `initial_weights` [experts], which add up to 1.

        Args:
            weight_sets: their number.
            initial_weights: [experts], of each set.
            min_rate: lower limit of the learning rate.
            fixed_share: part of each weight that returns to the initial one after each score.
        """

    def score(
        self, p: NDArray[np.float64], weight_sets: NDArray[np.uint32], learn: bool
    ) -> NDArray[np.float64]:
        """Return the means [n] of probabilities [n, experts]; with `learn` update after each."""

    def weights(self, weight_set: int) -> NDArray[np.float64]:
        """Return the weights [experts] of a set."""
