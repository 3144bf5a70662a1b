"""Array encodings: weights as bytes in several layouts, of which the smallest is kept.

docs/formats.md, section 9, defines each order, arrangement and coding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .._coding import cell_count, decode_symbols, encode_symbols
from ..quantization.quantized_matrix import largest_code
from .bit_packing import (
    FLOATS,
    Arrangement,
    Array,
    Bytes,
    arrange,
    arranged_size,
    as_matrix,
    matrix_shape,
    rearrange,
    to_codes,
    to_symbols,
)
from .xz import from_xz, to_xz

FRESH_CELL = 1 << 31
# Arrays with more numbers are written in every layout only in part.
SAMPLE = 1 << 17


class Order(IntEnum):
    """Order of the numbers of a matrix."""

    ROWS = 0
    COLUMNS = 1


class Coding(IntEnum):
    """Compression of the bytes."""

    PLAIN = 0
    XZ = 1
    ADAPTIVE = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a stored array; the values are those in the file."""

    coding: Coding
    arrangement: Arrangement
    order: Order

    def __str__(self) -> str:
        """Return the layout in words."""
        words = [self.arrangement.name.lower(), self.coding.name.lower()]
        return " ".join(words + ["by columns"] * (self.order == Order.COLUMNS))


class AdaptiveState:
    """State of the adaptive coder for each number of bits and order; empty at first."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, Order], NDArray[np.uint32]] = {}

    def cells(self, bits: int, order: Order) -> NDArray[np.uint32]:
        """Return a copy of the coder's cells, [cell_count], for such an array."""
        if (bits, order) not in self._cells:
            count = cell_count(symbol_bits(bits))
            self._cells[bits, order] = np.full(count, FRESH_CELL, np.uint32)
        return self._cells[bits, order].copy()

    def keep(self, bits: int, order: Order, cells: NDArray[np.uint32]) -> None:
        """Replace the cells by these, [cell_count]."""
        self._cells[bits, order] = cells


def symbol_bits(bits: int) -> int:
    """Return the bits of a symbol for numbers of `bits` bits; of floats, those of one byte."""
    return 8 if bits in FLOATS else bits


def possible_layouts(bits: int, size: int, shape: tuple[int, ...]) -> Iterator[Layout]:
    """Yield all layouts of an array; of equally small ones the first wins."""
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


def smallest_bytes(array: Array, bits: int, learned: AdaptiveState) -> tuple[Layout, bytes]:
    """Write an array in every layout and keep the smallest.

    Of a large array, evenly spaced rows are written in every layout, and the whole array only in
    the best two.

    Args:
        array: float32, float16, or int8 codes, of any shape.
        bits: 32, 16, or those of the codes.
        learned: the coder's state after earlier arrays; updated if this one is coded adaptively.
    """
    layouts = list(possible_layouts(bits, array.size, array.shape))
    if array.ndim > 1 and array.size > SAMPLE:
        rows = array[:: -(-array.size // SAMPLE)]
        sizes = {layout: len(written(rows, bits, layout, learned)[0]) for layout in layouts}
        layouts = sorted(sorted(layouts, key=sizes.__getitem__)[:2], key=layouts.index)
    tried = {layout: written(array, bits, layout, learned) for layout in layouts}
    layout = min(tried, key=lambda layout: len(tried[layout][0]))
    data, cells = tried[layout]
    if cells is not None:
        learned.keep(bits, layout.order, cells)
    return layout, data


def written(
    array: Array, bits: int, layout: Layout, learned: AdaptiveState
) -> tuple[bytes, NDArray[np.uint32] | None]:
    """Return the bytes of an array in one layout, and the adaptive coder's cells after it.

    Args:
        array: of any shape.
        bits: as in `smallest_bytes`.
        layout: of the bytes.
        learned: the coder's state after earlier arrays; is not updated.

    Returns:
        The bytes; the cells, None where the coding is not adaptive.
    """
    matrix = as_matrix(array)
    if layout.order == Order.COLUMNS:
        matrix = np.ascontiguousarray(matrix.T)
    if layout.coding == Coding.ADAPTIVE:
        cells = learned.cells(bits, layout.order)
        return adaptive_bytes(matrix, bits, cells), cells
    arranged = arrange(matrix, bits, layout.arrangement).tobytes()
    return to_xz(arranged) if layout.coding == Coding.XZ else arranged, None


def array_from_bytes(
    data: Bytes, bits: int, shape: tuple[int, ...], layout: Layout, learned: AdaptiveState
) -> Array:
    """Read the bytes that `smallest_bytes` wrote; the caller has checked the shape's size.

    Args:
        data: uint8 [size].
        bits: as in `smallest_bytes`.
        shape: of the array.
        layout: of the bytes.
        learned: the coder's state after earlier arrays; is updated.

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
        size = arranged_size(bits, layout.arrangement, rows * columns)
        if layout.coding == Coding.XZ:
            data = np.frombuffer(from_xz(data.tobytes(), size), np.uint8)
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes, not {size}")
        matrix = rearrange(data, bits, layout.arrangement, rows * columns).reshape(rows, columns)
    if layout.order == Order.COLUMNS:
        matrix = np.ascontiguousarray(matrix.T)
    return matrix.reshape(shape)


def adaptive_bytes(matrix: Array, bits: int, cells: NDArray[np.uint32]) -> bytes:
    """Code a matrix [rows, columns] adaptively; of floats, only the highest byte plane.

    The other planes precede it as they are.
    """
    if bits not in FLOATS:
        return encode_symbols(to_symbols(matrix, bits), bits, largest_code(bits), cells)
    planes = arrange(matrix, bits, Arrangement.PLANES).reshape(-1, *matrix.shape)
    return planes[1:].tobytes() + encode_symbols(planes[0], 8, 0, cells)


def adaptive_matrix(
    data: Bytes, bits: int, rows: int, columns: int, order: Order, learned: AdaptiveState
) -> Array:
    """Read the bytes that `adaptive_bytes` wrote.

    Args:
        data: uint8 [size].
        bits: as in `smallest_bytes`.
        rows: of the matrix in its order.
        columns: of the matrix in its order.
        order: selects the cells.
        learned: the coder's state after earlier arrays; is updated.

    Returns:
        [rows, columns].

    Raises:
        ValueError: the bytes end too early or are left over.
    """
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
