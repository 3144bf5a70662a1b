"""Duplicate documents: count exact copies in bounded memory."""

import numpy as np
from numpy.typing import NDArray

from .holdout import NAMES

MAX_NAMES = 1 << 15


class CopyCounter:
    """Counter of exact copies: their number and their bytes.

    Exact for up to `MAX_NAMES` different documents. Of more, those are counted whose names end
    below a threshold, which does not depend on the order of documents, and the rest is estimated.

    Attributes:
        documents: number of documents added.
        bytes: sum of their sizes.
    """

    def __init__(self, most: int = MAX_NAMES) -> None:
        self.documents = 0
        self.bytes = 0
        self._most = most
        self._threshold = NAMES
        # End of a name → how often it occurs, and the size of the document.
        self._seen: dict[int, tuple[int, int]] = {}

    def add(self, identifier: bytes, size: int) -> None:
        """Count a document of `size` bytes by its name."""
        self.documents += 1
        self.bytes += size
        # Not the beginning, which decides the holdout.
        self._count(int.from_bytes(identifier[8:], "big"), 1, size)

    def add_all(self, identifiers: NDArray[np.uint8], sizes: NDArray[np.int64]) -> None:
        """Count documents by their names [n, 16] and sizes in bytes [n]."""
        self.documents += len(sizes)
        self.bytes += int(sizes.sum())
        keys = np.ascontiguousarray(identifiers[:, 8:]).view(">u8").ravel()
        near = np.flatnonzero(keys <= np.uint64(self._threshold - 1))
        different, first, times = np.unique(keys[near], return_index=True, return_counts=True)
        known = sizes[near[first]].tolist()
        for key, number, size in zip(different.tolist(), times.tolist(), known, strict=True):
            self._count(key, number, size)

    def _count(self, key: int, times: int, size: int) -> None:
        if key < self._threshold:
            self._seen[key] = (self._seen.get(key, (0, 0))[0] + times, size)
            while len(self._seen) > self._most:
                self._threshold //= 2
                self._seen = {k: v for k, v in self._seen.items() if k < self._threshold}

    @property
    def copied_documents(self) -> int:
        """Number of documents that are copies of one that is counted once."""
        number = sum(times for times, _ in self._seen.values())
        return self._whole(number - len(self._seen), number, self.documents)

    @property
    def copied_bytes(self) -> int:
        """Bytes of these copies."""
        size = sum(times * size for times, size in self._seen.values())
        copied = sum((times - 1) * size for times, size in self._seen.values())
        return self._whole(copied, size, self.bytes)

    def as_members(self) -> dict[str, int]:
        """Return both numbers as members of a JSON object."""
        return {"copied_documents": self.copied_documents, "copied_bytes": self.copied_bytes}

    def _whole(self, copied: int, counted: int, whole: int) -> int:
        return copied if self._threshold == NAMES else round(copied / max(counted, 1) * whole)
