"""Bit packing: the numbers of arrays as bytes, and back.

docs/formats.md, section 9, defines each arrangement.
"""

from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..quantization.quantized_matrix import largest_code

FLOATS: dict[int, np.dtype[Any]] = {16: np.dtype("<f2"), 32: np.dtype("<f4")}
UNSIGNED: dict[int, np.dtype[Any]] = {16: np.dtype("<u2"), 32: np.dtype("<u4")}
Array: TypeAlias = NDArray[Any]
Bytes: TypeAlias = NDArray[np.uint8]


class Arrangement(IntEnum):
    """Arrangement of numbers as bytes: whole, bits one after the other, or by bit planes."""

    PLAIN = 0
    PACKED = 1
    PLANES = 2


def arrange(matrix: Array, bits: int, arrangement: Arrangement) -> Bytes:
    """Return the bytes of a matrix [rows, columns].

    Floats have byte planes: the sign moves to the lowest bit, then all highest bytes come first.
    """
    if arrangement == Arrangement.PLAIN:
        return np.frombuffer(matrix.tobytes(), np.uint8)
    if bits in FLOATS:
        unsigned = matrix.ravel().view(UNSIGNED[bits])
        rotated = unsigned << 1 | unsigned >> bits - 1
        planes = rotated.astype(UNSIGNED[bits].newbyteorder(">")).view(np.uint8)
        # [numbers, bytes of one] → [bytes of one, numbers]
        return np.ascontiguousarray(planes.reshape(-1, bits // 8).T).ravel()
    symbols = to_symbols(matrix, bits).ravel()
    places = np.arange(bits, dtype=np.uint8)
    if arrangement == Arrangement.PACKED:
        return np.packbits((symbols[:, None] >> places & 1).ravel(), bitorder="little")
    return np.packbits(symbols >> places[::-1, None] & 1, axis=1, bitorder="little").ravel()


def arranged_size(bits: int, arrangement: Arrangement, size: int) -> int:
    """Return the number of bytes of `size` arranged numbers."""
    if bits in FLOATS:
        return size * bits // 8
    if arrangement == Arrangement.PLAIN:
        return size
    return -(-size * bits // 8) if arrangement == Arrangement.PACKED else bits * -(-size // 8)


def rearrange(data: Bytes, bits: int, arrangement: Arrangement, size: int) -> Array:
    """Return the numbers of arranged bytes, [size].

    Args:
        data: uint8 [arranged_size].
        bits: of a number.
        arrangement: of the bytes.
        size: number of numbers.

    Raises:
        ValueError: a code is outside of its range.
    """
    if arrangement == Arrangement.PLAIN:
        return (
            data.view(FLOATS[bits]).copy() if bits in FLOATS else checked(data.view(np.int8), bits)
        )
    if bits in FLOATS:
        planes = np.ascontiguousarray(data.reshape(bits // 8, size).T).ravel()
        rotated = planes.view(UNSIGNED[bits].newbyteorder(">")).astype(UNSIGNED[bits])
        numbers: Array = (rotated >> 1 | rotated << bits - 1).view(FLOATS[bits])
        return numbers
    places = np.arange(bits, dtype=np.uint8)
    if arrangement == Arrangement.PACKED:
        ones = np.unpackbits(data, count=size * bits, bitorder="little").reshape(size, bits)
        return to_codes((ones << places).sum(axis=1, dtype=np.uint8), bits)
    ones = np.unpackbits(data.reshape(bits, -1), axis=1, count=size, bitorder="little")
    return to_codes((ones << places[::-1, None]).sum(axis=0, dtype=np.uint8), bits)


def to_symbols(codes: Array, bits: int) -> Bytes:
    """Return codes, of any shape, shifted to start at 0."""
    return (codes + np.int8(largest_code(bits))).view(np.uint8)


def to_codes(symbols: Bytes, bits: int) -> NDArray[np.int8]:
    """Return the codes of symbols of any shape; the inverse of `to_symbols`.

    Raises:
        ValueError: a symbol has no code.
    """
    return checked(symbols.view(np.int8) - np.int8(largest_code(bits)), bits)


def checked(codes: NDArray[np.int8], bits: int) -> NDArray[np.int8]:
    """Return the codes, of any shape, after checking that all fit in `bits` bits.

    Raises:
        ValueError: one does not.
    """
    top = largest_code(bits)
    if codes.size and not (codes.min() >= -top and codes.max() <= top):
        raise ValueError(f"a code is outside {-top} … {top}")
    return codes


def as_matrix(array: Array) -> Array:
    """Return an array of any shape as a matrix: its first dimension by all others.

    A vector is one row.
    """
    return np.ascontiguousarray(array).reshape(matrix_shape(array.shape))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of an array of this shape; an empty array has neither.

    >>> matrix_shape((4, 2, 3)), matrix_shape((5,)), matrix_shape(()), matrix_shape((9, 0))
    ((4, 6), (1, 5), (1, 1), (0, 0))
    """
    size = 1
    for length in shape:
        size *= length
    if size == 0:
        return 0, 0
    rows = shape[0] if len(shape) > 1 else 1
    return rows, size // rows
