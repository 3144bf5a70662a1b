"""Turns arrays of weights into bytes in several ways, keeps the smallest, and reads it back.

docs/formats.md, section 7, says what each order, arrangement and coding is.
"""

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._coding import cell_count, decode_symbols, encode_symbols
from .quantized_matrix import largest_code

FRESH_CELL = 1 << 31
XZ_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}]
FLOATS = {16: np.dtype("<f2"), 32: np.dtype("<f4")}
Array: TypeAlias = NDArray[Any]
Bytes: TypeAlias = NDArray[np.uint8]


class Order(IntEnum):
    """Which number of a matrix comes after which."""

    ROWS = 0
    COLUMNS = 1


class Arrangement(IntEnum):
    """How numbers become bytes."""

    PLAIN = 0
    PACKED = 1
    PLANES = 2


class Coding(IntEnum):
    """How the bytes become fewer."""

    PLAIN = 0
    XZ = 1
    ADAPTIVE = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to write an array; the values are those of the file."""

    coding: Coding
    arrangement: Arrangement
    order: Order

    def __str__(self) -> str:
        """Say it in words."""
        words = [self.arrangement.name.lower(), self.coding.name.lower()]
        return " ".join(words + ["by columns"] * (self.order == Order.COLUMNS))


class Learned:
    """What the adaptive coder knows, for each number of bits and order; at first nothing."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, Order], NDArray[np.uint32]] = {}

    def cells(self, bits: int, order: Order) -> NDArray[np.uint32]:
        """Return a copy of the cells, for symbols of an array of such numbers."""
        if (bits, order) not in self._cells:
            count = cell_count(symbol_bits(bits))
            self._cells[bits, order] = np.full(count, FRESH_CELL, np.uint32)
        return self._cells[bits, order].copy()

    def keep(self, bits: int, order: Order, cells: NDArray[np.uint32]) -> None:
        """Go on with these cells."""
        self._cells[bits, order] = cells


def symbol_bits(bits: int) -> int:
    """Return the bits of the symbols that stand for numbers of so many: of floats, one byte's."""
    return 8 if bits in FLOATS else bits


def possible_layouts(bits: int, size: int, shape: tuple[int, ...]) -> Iterator[Layout]:
    """Yield all ways to write an array, the first of equals first."""
    orders = (Order.ROWS, Order.COLUMNS) if len(shape) > 1 and size else (Order.ROWS,)
    floats = bits in FLOATS
    plain = (Arrangement.PLAIN,) if floats else (Arrangement.PLAIN, Arrangement.PACKED)
    for coding in Coding if size else (Coding.PLAIN,):
        for arrangement in Arrangement:
            if coding == Coding.ADAPTIVE:
                fits = arrangement == (Arrangement.PLANES if floats else Arrangement.PLAIN)
            else:
                fits = arrangement in plain or arrangement == Arrangement.PLANES
            if fits:
                yield from (Layout(coding, arrangement, order) for order in orders)


def smallest_bytes(array: Array, bits: int, learned: Learned) -> tuple[Layout, bytes]:
    """Write an array in every layout and keep the smallest.

    Args:
        array: float32, float16, or int8 codes.
        bits: 32, 16, or those of the codes.
        learned: what arrays before taught the coder; takes in this one where it is coded so.
    """
    best: tuple[Layout, bytes, NDArray[np.uint32] | None] | None = None
    for layout in possible_layouts(bits, array.size, array.shape):
        cells = learned.cells(bits, layout.order) if layout.coding == Coding.ADAPTIVE else None
        data = array_to_bytes(array, bits, layout, cells)
        if best is None or len(data) < len(best[1]):
            best = layout, data, cells
    assert best is not None  # noqa: S101 — every array has a plain layout
    layout, data, cells = best
    if cells is not None:
        learned.keep(bits, layout.order, cells)
    return layout, data


def array_to_bytes(
    array: Array, bits: int, layout: Layout, cells: NDArray[np.uint32] | None
) -> bytes:
    """Write an array in one layout; `cells` are for adaptive coding and learn."""
    matrix = as_matrix(array)
    if layout.order == Order.COLUMNS:
        matrix = np.ascontiguousarray(matrix.T)
    if layout.coding == Coding.ADAPTIVE:
        assert cells is not None  # noqa: S101
        return adaptive_bytes(matrix, bits, cells)
    arranged = arrange(matrix, bits, layout.arrangement).tobytes()
    return to_xz(arranged) if layout.coding == Coding.XZ else arranged


def array_from_bytes(
    data: Bytes, bits: int, shape: tuple[int, ...], layout: Layout, learned: Learned
) -> Array:
    """Read what `smallest_bytes` wrote; the caller has made sure that the shape is not too large.

    Raises:
        ValueError: the bytes are not those of such an array.
    """
    rows, columns = matrix_shape(shape)
    if layout.order == Order.COLUMNS:
        rows, columns = columns, rows
    if layout not in possible_layouts(bits, rows * columns, shape):
        raise ValueError(f"{layout} is no layout for it")
    if layout.coding == Coding.ADAPTIVE:
        matrix = adaptive_matrix(data, bits, rows, columns, layout.order, learned)
    else:
        wanted = arranged_size(bits, layout.arrangement, rows * columns)
        if layout.coding == Coding.XZ:
            data = np.frombuffer(from_xz(data.tobytes(), wanted), np.uint8)
        if len(data) != wanted:
            raise ValueError(f"{len(data)} bytes, not {wanted}")
        matrix = rearrange(data, bits, layout.arrangement, rows * columns).reshape(rows, columns)
    if layout.order == Order.COLUMNS:
        matrix = np.ascontiguousarray(matrix.T)
    return matrix.reshape(shape)


def adaptive_bytes(matrix: Array, bits: int, cells: NDArray[np.uint32]) -> bytes:
    """Code a matrix adaptively; of floats the highest plane, behind the others."""
    if bits not in FLOATS:
        return encode_symbols(to_symbols(matrix, bits), bits, largest_code(bits), cells)
    planes = arrange(matrix, bits, Arrangement.PLANES).reshape(-1, *matrix.shape)
    return planes[1:].tobytes() + encode_symbols(planes[0], 8, 0, cells)


def adaptive_matrix(
    data: Bytes, bits: int, rows: int, columns: int, order: Order, learned: Learned
) -> Array:
    """Read what `adaptive_bytes` wrote."""
    cells = learned.cells(bits, order)
    plain_size = (bits // 8 - 1) * rows * columns if bits in FLOATS else 0
    if len(data) < plain_size:
        raise ValueError("the bytes end too early")
    plain, coded = data[:plain_size], np.ascontiguousarray(data[plain_size:])
    centre = 0 if bits in FLOATS else largest_code(bits)
    symbols = decode_symbols(coded, rows, columns, symbol_bits(bits), centre, cells)
    learned.keep(bits, order, cells)
    if bits not in FLOATS:
        return to_codes(symbols, bits)
    planes = np.concatenate([symbols.ravel(), plain])
    return rearrange(planes, bits, Arrangement.PLANES, rows * columns).reshape(rows, columns)


def arrange(matrix: Array, bits: int, arrangement: Arrangement) -> Bytes:
    """Turn the numbers of a matrix into bytes."""
    if arrangement == Arrangement.PLAIN:
        return np.frombuffer(matrix.tobytes(), np.uint8)
    if bits in FLOATS:
        unsigned = matrix.ravel().view(f"<u{bits // 8}")
        turned = unsigned << 1 | unsigned >> bits - 1
        planes = turned.astype(turned.dtype.newbyteorder(">")).view(np.uint8)
        return np.ascontiguousarray(planes.reshape(-1, bits // 8).T).ravel()
    symbols = to_symbols(matrix, bits).ravel()
    places = np.arange(bits, dtype=np.uint8)
    if arrangement == Arrangement.PACKED:
        return np.packbits((symbols[:, None] >> places & 1).ravel(), bitorder="little")
    return np.packbits(symbols >> places[::-1, None] & 1, axis=1, bitorder="little").ravel()


def arranged_size(bits: int, arrangement: Arrangement, size: int) -> int:
    """Return how many bytes `arrange` makes of so many numbers."""
    if bits in FLOATS:
        return size * bits // 8
    if arrangement == Arrangement.PLAIN:
        return size
    return -(-size * bits // 8) if arrangement == Arrangement.PACKED else bits * -(-size // 8)


def rearrange(data: Bytes, bits: int, arrangement: Arrangement, size: int) -> Array:
    """Turn bytes back into numbers, in a row."""
    if arrangement == Arrangement.PLAIN:
        return data.view(FLOATS[bits]).copy() if bits in FLOATS else checked(data.view(np.int8), bits)
    if bits in FLOATS:
        planes = np.ascontiguousarray(data.reshape(bits // 8, size).T).ravel()
        turned = planes.view(f">u{bits // 8}").astype(f"<u{bits // 8}")
        return (turned >> 1 | turned << bits - 1).view(FLOATS[bits])
    places = np.arange(bits, dtype=np.uint8)
    if arrangement == Arrangement.PACKED:
        ones = np.unpackbits(data, count=size * bits, bitorder="little").reshape(size, bits)
        return to_codes((ones << places).sum(axis=1, dtype=np.uint8), bits)
    ones = np.unpackbits(data.reshape(bits, -1), axis=1, count=size, bitorder="little")
    return to_codes((ones << places[::-1, None]).sum(axis=0, dtype=np.uint8), bits)


def to_symbols(codes: Array, bits: int) -> Bytes:
    """Return codes as numbers from 0 on."""
    return (codes + np.int8(largest_code(bits))).view(np.uint8)


def to_codes(symbols: Bytes, bits: int) -> NDArray[np.int8]:
    """Return what `to_symbols` was given; ValueError where a symbol stands for no code."""
    return checked(symbols.view(np.int8) - np.int8(largest_code(bits)), bits)


def checked(codes: NDArray[np.int8], bits: int) -> NDArray[np.int8]:
    """Return the codes, if all are codes of so many bits."""
    top = largest_code(bits)
    if codes.size and not (codes.min() >= -top and codes.max() <= top):
        raise ValueError(f"a code is outside {-top} … {top}")
    return codes


def as_matrix(array: Array) -> Array:
    """Return an array as a matrix: its first dimension by all others; a vector is one row."""
    return np.ascontiguousarray(array).reshape(matrix_shape(array.shape))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of an array of this shape; without numbers there are neither.

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


def to_xz(data: bytes) -> bytes:
    """Compress bytes, as a bare LZMA2 stream."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=XZ_FILTERS)


def from_xz(data: bytes, size: int) -> bytes:
    """Read a bare LZMA2 stream of at most so many bytes.

    Raises:
        ValueError: it is damaged, longer, or does not end with the data.
    """
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=XZ_FILTERS)
    try:
        found = decompressor.decompress(data, size + 1)
        if not decompressor.eof and len(found) <= size:
            found += decompressor.decompress(b"", size + 1 - len(found))
    except lzma.LZMAError as error:
        raise ValueError(f"damaged ({error})") from None
    if len(found) != size or not decompressor.eof or decompressor.unused_data:
        raise ValueError(f"damaged, or not of {size} bytes")
    return found
