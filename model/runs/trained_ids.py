"""Trained ids: the token ids that were targets in training and may be sampled.

The probability of an id that was never a target comes from its initial weights: noise. One such id
in a sampled text, and all later tokens depend on a context that training never had.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

# For each id whether it was a target, bool [V]; None where that is unknown.
TrainedIds: TypeAlias = NDArray[np.bool_] | None


def unseen_ids(trained: TrainedIds) -> frozenset[int]:
    """Return the ids that were never targets; empty where that is unknown."""
    return frozenset() if trained is None else frozenset(np.flatnonzero(~trained).tolist())


def trained_to_bytes(trained: NDArray[np.bool_]) -> bytes:
    r"""Return bool [V] as a bitmap of V bits, id 0 in the lowest bit of the first byte.

    >>> trained_to_bytes(np.array([True, False, True] + 6 * [False]))
    b'\x05\x00'
    """
    return np.packbits(trained, bitorder="little").tobytes()


def trained_from_bytes(data: bytes, vocab_size: int) -> NDArray[np.bool_]:
    """Return bool [V] from the bitmap of `trained_to_bytes`.

    Raises:
        ValueError: the bitmap is of another number of ids.
    """
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").astype(np.bool_)
    if len(data) != -(-vocab_size // 8) or bits[vocab_size:].any():
        raise ValueError(f"{len(data)} bytes are not a bitmap of {vocab_size} ids")
    return bits[:vocab_size]
