"""Arithmetic coder: codes each choice in −log2 of its probability bits.

Witten, Neal, Cleary 1987 (doi:10.1145/214762.214771), shifted by bytes as in range coders. Encoder
and decoder need exactly the same frequencies at each step.
"""

import math

import numpy as np
from numpy.typing import NDArray

from spiketok.errors import SpikeError

TOTAL_BITS = 32
TOTAL = 1 << TOTAL_BITS
WHOLE = 1 << 64
BYTE_FREE = 1 << 56


def cumulative_frequencies(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the borders [V + 1] of V intervals in 0 … 2³², each about p · 2³² and at least 1.

    A choice costs at most V · 2⁻³² bits more than with the exact probabilities.

    Args:
        probabilities: [V], of sum 1 up to rounding.

    Raises:
        SpikeError: they are not a distribution.
    """
    count = len(probabilities)
    if not (probabilities.min() >= 0 and abs(probabilities.sum() - 1) < 1e-6):
        raise SpikeError("the predictions are not a distribution; use another checkpoint")
    shares = (probabilities * (TOTAL - 2 * count)).astype(np.int64) + 1
    borders = np.zeros(count + 1, np.int64)
    shares.cumsum(out=borders[1:])
    return borders


def most_choices(size: int, count: int) -> int:
    """Return the largest number of choices among `count` intervals that `size` bytes can hold.

    Even the largest interval of `cumulative_frequencies` takes a part of a bit. Up to 8 zero bytes
    at the end are not written; only a text made on purpose would need more.
    """
    least = -math.log1p(-(2 * count - 1) / TOTAL) / math.log(2)
    return math.ceil(8 * (size + 8) / least)


class Encoder:
    """Encoder of choices, one by one; `finish` returns the bytes."""

    def __init__(self) -> None:
        self._low, self._width = 0, WHOLE
        self._written = bytearray()

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return len(self._written)

    def encode(self, start: int, stop: int) -> None:
        """Encode the choice of the interval start … stop of 0 … 2³²."""
        unit = self._width >> TOTAL_BITS
        self._low += unit * start
        self._width = unit * (stop - start)
        self._carry()
        while self._width < BYTE_FREE:
            self._written.append(self._low >> 56)
            self._low = (self._low << 8) % WHOLE
            self._width <<= 8

    def finish(self) -> bytes:
        """Return all bytes; the decoder reads zeros after them."""
        # The number in the interval with the most zero bytes at its end.
        for kept in range(9):
            step = 1 << (64 - 8 * kept)
            number = -(-self._low // step) * step
            if number < self._low + self._width:
                self._low = number
                self._carry()
                break
        return (bytes(self._written) + self._low.to_bytes(8)).rstrip(b"\0")

    def _carry(self) -> None:
        if self._low < WHOLE:
            return
        self._low -= WHOLE
        place = len(self._written) - 1
        while self._written[place] == 0xFF:
            self._written[place] = 0
            place -= 1
        self._written[place] += 1


class Decoder:
    """Decoder of the choices of an `Encoder`, from the same frequencies."""

    def __init__(self, data: bytes) -> None:
        self._data, self._read = data, 8
        self._above = int.from_bytes(data[:8].ljust(8, b"\0"))
        self._width = WHOLE

    def decode(self, borders: NDArray[np.int64]) -> int:
        """Return the number of the chosen interval between the borders [count + 1].

        Raises:
            SpikeError: no interval was chosen; the data is damaged, or these are other borders.
        """
        unit = self._width >> TOTAL_BITS
        place = self._above // unit
        if place >= int(borders[-1]):
            raise SpikeError("damaged, or of another model; take it from its source again")
        chosen = int(borders.searchsorted(place, "right")) - 1
        start, stop = int(borders[chosen]), int(borders[chosen + 1])
        self._above -= unit * start
        self._width = unit * (stop - start)
        while self._width < BYTE_FREE:
            following = self._data[self._read] if self._read < len(self._data) else 0
            self._above = self._above << 8 | following
            self._width <<= 8
            self._read += 1
        return chosen
