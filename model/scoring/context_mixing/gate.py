"""Gate: the weight of n-gram counts, by the length of the known context and the entropy."""

import math

import numpy as np
from numpy.typing import NDArray


def gate_weight(
    lengths: NDArray[np.uint32], entropies: NDArray[np.float64], max_context: int = 8
) -> NDArray[np.float64]:
    """Return the weight [n] of counts against the network; it depends on the prefix alone.

    The curve is that of the record "n-gram golf", made valid. There the length was the longest one
    at which the target itself had been seen; here it is the longest known context, and the weight
    holds for all tokens. With f from 0 for a context of one token to 1 for the longest,
    (0.05 + 0.9 · sigmoid(2 · (H − 5 + 3f))) · (0.3 + 1.7f), at most 0.99; 0 without a context.

    Args:
        lengths: [n], of the longest contexts that a token followed before.
        entropies: [n], of the network's distributions, in nats.
        max_context: the length for which f is 1.
    """
    share = np.clip((lengths.astype(np.float64) - 1) / max(1, max_context - 1), 0.0, 1.0)
    rising = 0.05 + 0.9 / (1 + np.exp(np.clip(-2 * (entropies - 5 + 3 * share), -60, 60)))
    return np.where(lengths > 0, np.minimum(0.99, rising * (0.3 + 1.7 * share)), 0.0)


def weight_sets(
    lengths: NDArray[np.uint32], entropies: NDArray[np.float64] | None, vocab_size: int
) -> NDArray[np.uint32]:
    """Return the weight set [n] of each place: by length [n], and entropy [n] in eighths.

    Below `SETS_PER_LENGTH` · (max_context + 1); without entropies the first of each length.
    """
    sets = lengths.astype(np.uint32) * np.uint32(SETS_PER_LENGTH)
    if entropies is None:
        return sets
    parts = np.floor(entropies * (SETS_PER_LENGTH / math.log(max(2, vocab_size))))
    return sets + np.clip(parts, 0, SETS_PER_LENGTH - 1).astype(np.uint32)


SETS_PER_LENGTH = 8
