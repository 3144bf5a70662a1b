"""Quantized matrix: integers of a few bits, with one scale per row.

NumPy alone, so that a file of such matrices can be read without torch.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spiketok.errors import SpikeError

MIN_BITS, MAX_BITS = 2, 8


def largest_code(bits: int) -> int:
    """Return the largest code of `bits` bits; the smallest is its negative.

    >>> [largest_code(bits) for bits in (2, 5, 8)]
    [1, 15, 127]
    """
    return (1 << bits - 1) - 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class QuantizedMatrix:
    """Quantized matrix: codes · scale of the row, plus a correction if there is one.

    Raises:
        SpikeError: types, shapes or numbers are not as described here.
    """

    codes: NDArray[np.int8]
    """[rows, columns], from −(2^(bits − 1) − 1) to 2^(bits − 1) − 1."""
    scales: NDArray[np.float16]
    """[rows], finite and not negative; 0 where a row is zero."""
    bits: int
    """2 to 8."""
    correction: "LowRank | None" = None

    def __post_init__(self) -> None:
        """Check types, shapes and numbers."""
        codes, scales = self.codes, self.scales
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise SpikeError(f"codes of {self.bits} bits; use {MIN_BITS} to {MAX_BITS}")
        if codes.dtype != np.int8 or codes.ndim != 2:
            raise SpikeError(f"codes are {codes.dtype} {codes.shape}; use int8 [rows, columns]")
        if scales.dtype != np.float16 or scales.shape != codes.shape[:1]:
            raise SpikeError(f"scales are {scales.dtype} {scales.shape}; use float16 [rows]")
        if not (np.isfinite(scales).all() and (scales >= 0).all()):
            raise SpikeError("a scale is negative, infinite or NaN; use finite ones from 0 on")
        top = largest_code(self.bits)
        if codes.size and not (codes.min() >= -top and codes.max() <= top):
            raise SpikeError(f"a code is out of range; use {-top} … {top} for {self.bits} bits")
        if self.correction is not None and self.correction.shape != codes.shape:
            raise SpikeError(
                f"the correction is {self.correction.shape}; use the shape of the codes, "
                f"{codes.shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.codes.shape[0], self.codes.shape[1]

    def dequantize(self) -> NDArray[np.float32]:
        """Return the matrix, float32 [rows, columns], the same bytes on every machine."""
        matrix = self.codes * self.scales.astype(np.float32)[:, None]
        return matrix if self.correction is None else matrix + self.correction.dequantize()

    def __eq__(self, other: object) -> bool:
        """Return whether all codes, scales, bits and corrections are equal."""
        if not isinstance(other, QuantizedMatrix):
            return NotImplemented
        return (
            self.bits == other.bits
            and np.array_equal(self.codes, other.codes)
            and np.array_equal(self.scales, other.scales)
            and self.correction == other.correction
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRank:
    """Low-rank product leftᵀ · right of quantized matrices without corrections.

    Raises:
        SpikeError: their ranks differ, or one has a correction.
    """

    left: QuantizedMatrix
    """[rank, rows]."""
    right: QuantizedMatrix
    """[rank, columns]."""

    def __post_init__(self) -> None:
        """Check that the factors fit."""
        if self.left.shape[0] != self.right.shape[0]:
            raise SpikeError(
                f"factors of ranks {self.left.shape[0]} and {self.right.shape[0]}; use equal ranks"
            )
        if self.left.correction is not None or self.right.correction is not None:
            raise SpikeError("a factor has a correction; leave it out")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the product."""
        return self.left.shape[1], self.right.shape[1]

    def dequantize(self) -> NDArray[np.float32]:
        """Return the product, float32 [rows, columns].

        Added rank by rank: a matrix product adds in an order that depends on the machine.
        """
        product = np.zeros(self.shape, np.float32)
        for left, right in zip(self.left.dequantize(), self.right.dequantize(), strict=True):
            product += left[:, None] * right
        return product
