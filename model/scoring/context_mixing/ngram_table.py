"""N-gram table: counts of training text in an artifact, written and read.

docs/formats.md, section 10.
"""

import struct

import numpy as np
from numpy.typing import NDArray

from .ngram_counts import PrunedNgramCounts

FORMAT = 1
HEADER = struct.Struct("<II")


def counts_to_bytes(counts: PrunedNgramCounts) -> bytes:
    """Return the table; equal counts give equal bytes."""
    arrays = (counts.children, _steps(counts), counts.counts, counts.pruned)
    return HEADER.pack(FORMAT, len(counts.tokens)) + b"".join(map(_planes, arrays))


def counts_from_bytes(data: bytes) -> PrunedNgramCounts:
    """Read a table; `NgramModel` checks its counts.

    Raises:
        ValueError: it is cut, damaged or of an unknown format.
    """
    if len(data) < HEADER.size:
        raise ValueError("it is cut")
    version, ngrams = HEADER.unpack_from(data)
    if version != FORMAT:
        raise ValueError(f"its format {version} is not known; use a newer spike")
    sizes = (ngrams + 1, ngrams, ngrams, ngrams + 1)
    if len(data) != HEADER.size + 4 * sum(sizes):
        raise ValueError(f"{len(data):,} bytes do not hold {ngrams:,} n-grams")
    arrays, place = [], HEADER.size
    for size in sizes:
        planes = np.frombuffer(data, np.uint8, 4 * size, place).reshape(4, size)
        arrays.append(np.ascontiguousarray(planes.T).view("<u4").ravel().astype(np.uint32))
        place += 4 * size
    children, steps, numbers, pruned = arrays
    if int(children.sum(dtype=np.uint64)) != ngrams:
        raise ValueError("the n-grams are not as many as their parents have children")
    firsts = _firsts(children)
    # Sums wrap around, as the steps did; the results are checked as any ids are.
    sums = np.cumsum(steps, dtype=np.uint32)
    before = np.where(firsts > 0, sums[firsts - 1], 0).astype(np.uint32)
    tokens = sums - np.repeat(before, children[children > 0])
    return PrunedNgramCounts(children, tokens, numbers, pruned)


def _firsts(children: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the place of the first child of each n-gram that has any."""
    ends = np.cumsum(children, dtype=np.int64)
    firsts: NDArray[np.int64] = (ends - children)[children > 0]
    return firsts


def _steps(counts: PrunedNgramCounts) -> NDArray[np.uint32]:
    """Return each token minus its previous sibling's; the first one as it is."""
    steps = np.diff(counts.tokens, prepend=np.uint32(0))
    firsts = _firsts(counts.children)
    steps[firsts] = counts.tokens[firsts]
    return steps


def _planes(numbers: NDArray[np.uint32]) -> bytes:
    """Return all lowest bytes, then all next ones, and so on."""
    return numbers.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes()
