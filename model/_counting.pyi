"""The compiled half of mixing; arrays are contiguous and on the CPU.

Wrong array types raise TypeError; ids out of range, and numbers that do not fit each other, raise
ValueError. Ids are uint16 or uint32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

def adjust(
    logits: NDArray[np.float32],
    asked: NDArray[np.uint32],
    raises: NDArray[np.float32],
    heat: bool,
    sharpening: float,
    least: float,
    most: float,
    calibrate: bool,
    expected: NDArray[np.float64],
    wide: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities of ids asked [n, m] by logits [n, V], and entropies [n] in nats.

    Plain; with a temperature 1 − sharpening · (1 − H / ln V), within `least` … `most`; with that
    and weights times `raises` [V], or none [0]. What is off is [0, m]. The last ones of all ids
    are added to `expected`, [V] or [0]. `wide`: use AVX2 where there is any; the numbers are the
    same to the bit.
    """

class ContextCounts:
    """Exact counts of what followed each context of up to `longest` tokens in a growing row."""

    def __init__(self, vocab_size: int, longest: int, continuation: bool) -> None:
        """With `continuation` strings shorter than the longest count what they stand behind.

        Their count is then before how many different tokens they stood, not how often.
        """

    def load(
        self,
        parents: NDArray[np.uint32],
        tokens: NDArray[np.uint32],
        counts: NDArray[np.uint32],
        totals: NDArray[np.uint32],
    ) -> None:
        """Begin with these strings: string i + 1 is string `parents[i]` and `tokens[i]`.

        String 0 is the empty one. `totals[i]` followed string i, children or not; of strings
        without children it is forgotten.
        """

    def keep(
        self, fewest: int, longest: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
        """Return parents, tokens, counts and totals of strings, as `load` takes them.

        They are those that count `fewest` or more and have at most `longest` + 1 tokens, and
        those that such strings begin with.
        """

    def copy(self) -> ContextCounts:
        """Return other counts that are the same so far."""

    def reserve(self, strings: int) -> None:
        """Make room for so many strings at once."""

    def restart(self) -> None:
        """Begin a new row: nothing stands before it."""

    def learn(self, ids: NDArray[Any]) -> None:
        """Count each id behind those before."""

    def score(
        self,
        ids: NDArray[Any],
        base: NDArray[np.float64],
        other: NDArray[np.float64],
        discounts: NDArray[np.float64],
        shortest: int,
        learn: bool,
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.uint32],
        NDArray[np.uint32],
    ]:
        """Return the probabilities [n, longest + 1] of ids [n], and what their contexts are.

        Column k uses contexts of `shortest` … k tokens; the base [n] is the probability without
        any. Behind them what contexts of 1 token and more give over another base, `other`, [n] or
        [0]; and, [n] each: length of the longest known context, how many tokens followed
        it, and how many different ones. Discounts [longest + 1, 4] are, by length, what is taken
        of counts 1, 2 and more, and a weight beside. With `learn` each id is counted after it is
        scored; else what was read is forgotten when learning goes on.
        """

    def distribution(
        self, base: NDArray[np.float64], discounts: NDArray[np.float64], shortest: int
    ) -> NDArray[np.float64]:
        """Return [longest + 1, vocab_size]: what `score` would give each id as the next one."""

    def describe(self) -> tuple[int, int, int]:
        """Return length, total and kinds of the longest known context of the next id."""

    def counts_of_counts(self) -> NDArray[np.uint64]:
        """Return how many strings of k + 1 tokens count 1 … 4, as items 4k … 4k + 3."""

    @property
    def strings(self) -> int:
        """How many strings are stored."""

    @property
    def bytes(self) -> int:
        """The memory they take."""

class Repeats:
    """Where the last tokens of a row stood before."""

    def __init__(self, vocab_size: int, lengths: NDArray[np.uint32]) -> None:
        """Look for contexts of these lengths, which rise."""

    def restart(self) -> None:
        """Begin a new row: nothing stands before it."""

    def read(
        self, ids: NDArray[Any], learn: bool
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]:
        """Return for each id what came after the longest context when it stood there last.

        Also the number of the context's length, both 2³² − 1 where no context occurred before,
        and how likely such hints were right so far. With `learn` each id is then added; else what
        was read is forgotten when learning goes on.
        """

    def hint(self) -> tuple[int, int, float]:
        """Return the same for the next id."""

class Mixture:
    """A weighted mean of probabilities, with a row of weights for each set."""

    def __init__(self, sets: int, first: NDArray[np.float64], slowest: float, share: float) -> None:
        """Begin with the weights `first` [experts], which add up to 1.

        `slowest` is the least rate at which weights learn, `share` what part of them goes back to
        the first ones with each score.
        """

    def score(
        self, p: NDArray[np.float64], sets: NDArray[np.uint32], learn: bool
    ) -> NDArray[np.float64]:
        """Return the means [n] of probabilities [n, experts]; the weights learn behind each."""

    def weights(self, set: int) -> NDArray[np.float64]:
        """Return the weights [experts] of a set."""
