"""Checksums: byte ranges of files, and the content of shards whatever their layout."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import xxhash

from spiketok.regular_files import open_regular

from .encoded_documents import Documents

RANGE_BYTES = 64 << 10


@dataclass(slots=True)
class RangeSums:
    """xxh3-64 of each 64 KiB of a file that is being written.

    Attributes:
        done: hex digests of the ranges that are full.
        size: bytes seen.
    """

    done: list[str] = field(default_factory=list)
    size: int = 0
    open_range: Any = field(default_factory=xxhash.xxh3_64)

    def update(self, data: "bytes | memoryview") -> None:
        """Add the next bytes of the file."""
        view = memoryview(data).cast("B")
        while view:
            room = RANGE_BYTES - self.size % RANGE_BYTES
            part, view = view[:room], view[room:]
            self.open_range.update(part)
            self.size += len(part)
            if len(part) == room:
                self.done.append(self.open_range.hexdigest())
                self.open_range.reset()

    def digests(self) -> list[str]:
        """Return the digests of all ranges, the last one shorter."""
        return self.done + ([self.open_range.hexdigest()] if self.size % RANGE_BYTES else [])


@dataclass(slots=True)
class SummingFile:
    """Output file for Arrow that updates checksums with each write."""

    file: IO[bytes]
    sums: RangeSums = field(default_factory=RangeSums)
    closed: bool = False

    def write(self, data: "bytes | memoryview") -> int:
        """Write the bytes and update the checksums."""
        self.sums.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Do nothing: the file is synced when it is complete."""

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self.sums.size


@dataclass(slots=True)
class ContentSum:
    """Digest of the documents of a shard, in order.

    Attributes:
        parts: one digest for each thing summed: tokens per document, tokens, bytes per document,
            ids, and the loss mask where there is one.
    """

    parts: list[Any] = field(default_factory=list)

    def update(self, documents: Documents) -> None:
        """Add the next documents."""
        lengths = np.diff(documents.ends, prepend=0)
        arrays = [lengths, documents.tokens, documents.n_bytes, documents.ids]
        if documents.loss_mask is not None:
            arrays.append(documents.loss_mask)
        self.parts = self.parts or [xxhash.xxh3_128() for _ in arrays]
        for part, array in zip(self.parts, arrays, strict=True):
            part.update(np.ascontiguousarray(array))

    def hexdigest(self) -> str:
        """Return the digest of all documents so far."""
        return xxhash.xxh3_128_hexdigest(b"".join(part.digest() for part in self.parts))


def damaged_ranges(path: Path, size: int, expected: Iterable[str]) -> Iterator[str]:
    """Yield a message for each range of a file that differs from its digest, or on its size."""
    if damage := size_damage(path, path.stat().st_size, size):
        yield damage
        return
    with open_regular(path) as file:
        for number, digest in enumerate(expected):
            data = file.read(RANGE_BYTES)
            if xxhash.xxh3_64_hexdigest(data) != digest:
                yield range_damage(path, number, len(data))


def size_damage(path: Path, actual: int, size: int) -> str | None:
    """Return a message if a file has another size than it must have, else None."""
    return f"{path}: has {actual} bytes instead of {size}" if actual != size else None


def range_damage(path: Path, number: int, length: int) -> str:
    """Return the message on a range of `length` bytes that differs from its digest."""
    start = number * RANGE_BYTES
    return f"{path}: is damaged in range {number} (bytes {start} to {start + length})"
