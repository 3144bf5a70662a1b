"""Shuffling of training windows: a permutation of 0 … n − 1, from position and seed alone.

A balanced Feistel network permutes the smallest range of 4^k numbers that holds n. A position that
leaves the range of n follows its cycle until it is back (Black and Rogaway, "Ciphers with arbitrary
finite domains", 2002). The range is less than four times n, so walks are short.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

ROUNDS = 6
# The finaliser of MurmurHash3 (64 bits).
MIX_1, MIX_2, SHIFT = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(33)


def permute(
    index: npt.NDArray[np.integer[Any]], n: int, seed: int, epoch: int = 0
) -> npt.NDArray[np.int64]:
    """Permute positions; a bijection of 0 … n − 1 for each seed and epoch.

    Args:
        index: positions of any shape, each below n.
        n: number of positions.
        seed: of the shuffle.
        epoch: each epoch has its own order.

    Returns:
        The permuted positions, int64 of the shape of `index`.

    >>> sorted(permute(np.arange(5), 5, seed=1).tolist())
    [0, 1, 2, 3, 4]
    """
    half = np.uint64(max((n - 1).bit_length() + 1, 2) // 2)
    keys = [
        np.uint64(xxhash.xxh3_64_intdigest(f"{seed} {epoch} {number}".encode()))
        for number in range(ROUNDS)
    ]
    values = rounds(np.asarray(index).astype(np.uint64), half, keys)
    while (outside := np.flatnonzero(values >= n)).size:
        values[outside] = rounds(values[outside], half, keys)
    return values.astype(np.int64)


def rounds(
    values: npt.NDArray[np.uint64], half: np.uint64, keys: list[np.uint64]
) -> npt.NDArray[np.uint64]:
    """Feistel rounds: permute numbers [n] of 2 · `half` bits."""
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (mix(right ^ key) & mask)
    return (left << half) | right


def mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix the bits of 64-bit numbers [n], in place."""
    values ^= values >> SHIFT
    values *= MIX_1
    values ^= values >> SHIFT
    values *= MIX_2
    values ^= values >> SHIFT
    return values
