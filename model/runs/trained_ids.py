"""Trained ids: which token ids were targets in training, and may therefore be sampled.

The probability of an id that was never a target is that of its initial weights: noise. One such id
in a sampled text, and all that follows is conditioned on a context that training never had.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# For each id whether it was a target, bool [V]; None where that is unknown.
TrainedIds: TypeAlias = NDArray[np.bool_] | None


def unseen_ids(trained: TrainedIds) -> frozenset[int]:
    """Return the ids that were never targets; none where that is unknown."""
    return frozenset() if trained is None else frozenset(np.flatnonzero(~trained).tolist())


def trained_to_bytes(trained: NDArray[np.bool_]) -> bytes:
    r"""Return a bitmap of V bits, id 0 in the lowest bit of the first byte.

    >>> trained_to_bytes(np.array([True, False, True] + 6 * [False]))
    b'\x05\x00'
    """
    return np.packbits(trained, bitorder="little").tobytes()


def trained_from_bytes(data: bytes, vocab_size: int) -> NDArray[np.bool_]:
    """Read what `trained_to_bytes` wrote.

    Raises:
        ValueError: the bitmap is of another number of ids.
    """
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").astype(np.bool_)
    if len(data) != -(-vocab_size // 8) or bits[vocab_size:].any():
        raise ValueError(f"{len(data)} bytes are no bitmap of {vocab_size} ids")
    return bits[:vocab_size]
