"""Positioned reads of a file, each 64 KiB range compared with its xxh3-64 before its first use.

No memory map: where a file was truncated or its disk fails, a map ends the process with SIGBUS,
without a message. A read returns too few bytes or an error.
"""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import regular_descriptor

from .checksums import RANGE_BYTES, range_damage, size_damage

DIGEST_LETTERS = 16
AGAIN = "; run spike data verify, and make the shards again with spike shard --overwrite"


def range_count(size: int) -> int:
    """Return the number of ranges of a file of `size` bytes, the last one shorter."""
    return -(-size // RANGE_BYTES)


class SummedFile:
    """File with checksums, which must not change while it is read.

    A range is compared with its checksum before it is first read, and again after `start_epoch` and
    after `look_again` where the file was written to meanwhile.

    Attributes:
        path: of the file.
        size: bytes it must have.
        descriptor: of the open file.
    """

    def __init__(
        self, path: Path, size: int, sums: Sequence[str], unchecked: NDArray[np.uint8]
    ) -> None:
        """Open the file.

        Args:
            path: of the file.
            size: bytes it must have.
            sums: hex digest of each range, as `RangeSums.digests` returns them.
            unchecked: [range_count(size)], set to 1 for each range to compare at its next read,
                and to 0 after that.

        Raises:
            SpikeError: it cannot be opened or has another size.
        """
        self.path, self.size, self._unchecked = path, size, unchecked
        self._sums = "".join(sums)
        try:
            self.descriptor = regular_descriptor(path)
        except OSError as error:
            raise unreadable(path, error) from None
        weakref.finalize(self, os.close, self.descriptor)
        self.start_epoch()

    def start_epoch(self) -> None:
        """Check the size; compare each range again before it is read.

        Raises:
            SpikeError: the file has another size.
        """
        self._modified = self._checked_status().st_mtime_ns
        self._unchecked[:] = 1

    def look_again(self) -> None:
        """Call `start_epoch` if the file's modification time has changed since.

        Raises:
            SpikeError: the file has another size.
        """
        if self._checked_status().st_mtime_ns != self._modified:
            self.start_epoch()

    def read(self, position: int, target: memoryview) -> None:
        """Fill `target` (bytes, not empty) from `position` on.

        Raises:
            SpikeError: a range that it touches is damaged, or the file has become shorter.
        """
        stop = position + len(target)
        if position < 0 or stop > self.size:
            raise SpikeError(
                f"{self.path}: refers to bytes {position} to {stop} of its {self.size}{AGAIN}"
            )
        first = position // RANGE_BYTES
        for number in np.flatnonzero(self._unchecked[first : range_count(stop)]).tolist():
            self.compare(first + number)
        self._fill(position, target)

    def compare(self, number: int) -> None:
        """Read a range and compare it with its checksum.

        Raises:
            SpikeError: it is damaged, or the file has become shorter.
        """
        start = number * RANGE_BYTES
        size = min(RANGE_BYTES, self.size - start)
        try:
            data = os.pread(self.descriptor, size, start)
        except OSError as error:
            raise unreadable(self.path, error) from None
        if len(data) < size:
            raise self._too_short(start + len(data))
        expected = self._sums[number * DIGEST_LETTERS : (number + 1) * DIGEST_LETTERS]
        if xxhash.xxh3_64_hexdigest(data) != expected:
            raise SpikeError(f"{range_damage(self.path, number, size)}{AGAIN}")
        self._unchecked[number] = 0

    def _fill(self, position: int, target: memoryview) -> None:
        try:
            done = os.preadv(self.descriptor, (target,), position)
            while done < len(target):
                more = os.preadv(self.descriptor, (target[done:],), position + done)
                if not more:
                    raise self._too_short(position + done)
                done += more
        except OSError as error:
            raise unreadable(self.path, error) from None

    def _too_short(self, position: int) -> SpikeError:
        self._checked_status()
        return SpikeError(f"{self.path}: cannot be read at byte {position}{AGAIN}")

    def _checked_status(self) -> os.stat_result:
        status = os.fstat(self.descriptor)
        if damage := size_damage(self.path, status.st_size, self.size):
            raise SpikeError(f"{damage}{AGAIN}")
        return status
