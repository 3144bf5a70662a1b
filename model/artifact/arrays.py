"""Array storage of an artifact: arrays, and the table that describes them, as bytes and back.

docs/formats.md, section 9.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..quantization.quantized_matrix import MAX_BITS, MIN_BITS
from .bit_packing import FLOATS, Arrangement, Array, Bytes
from .encodings import AdaptiveState, Coding, Layout, Order, array_from_bytes, smallest_bytes

MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArray:
    """Stored array: a row of the table."""

    name: str
    bits: int
    """32 and 16: floating point; 2 to 8: codes."""
    layout: Layout
    shape: tuple[int, ...]
    size: int
    """Bytes in the file."""

    @property
    def numbers(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


def store_arrays(
    arrays: Sequence[tuple[str, int, Array]],
) -> tuple[list[StoredArray], bytes]:
    """Write arrays, each in its smallest encoding.

    Args:
        arrays: name, bits (32, 16, or those of int8 codes) and numbers, of any shape.

    Returns:
        The table and the bytes of all arrays.
    """
    learned, table, stored = AdaptiveState(), [], []
    for name, bits, array in arrays:
        layout, data = smallest_bytes(array, bits, learned)
        table.append(
            StoredArray(name=name, bits=bits, layout=layout, shape=array.shape, size=len(data))
        )
        stored.append(data)
    return table, b"".join(stored)


def load_arrays(table: Sequence[StoredArray], stored: Bytes) -> Iterator[tuple[StoredArray, Array]]:
    """Yield the arrays, of any shape, of a table whose sizes the caller has checked.

    Raises:
        ValueError: an array is damaged.
    """
    if sum(row.size for row in table) != len(stored):
        raise ValueError("their lengths do not add up to the section's")
    learned, begin = AdaptiveState(), 0
    for row in table:
        data = stored[begin : begin + row.size]
        try:
            array = array_from_bytes(data, row.bits, row.shape, row.layout, learned)
        except ValueError as error:
            raise ValueError(f"{row.name}: {error}") from None
        yield row, array
        begin += row.size


def table_to_bytes(table: Sequence[StoredArray]) -> bytes:
    """Write the table."""
    parts = [struct.pack("<I", len(table))]
    for row in table:
        name, layout = row.name.encode(), row.layout
        parts += [struct.pack("<H", len(name)), name]
        parts.append(
            struct.pack("<4B", row.bits, layout.arrangement, layout.order, layout.coding)
            + struct.pack(f"<B{len(row.shape)}I", len(row.shape), *row.shape)
            + struct.pack("<Q", row.size)
        )
    return b"".join(parts)


def table_from_bytes(data: bytes) -> list[StoredArray]:
    """Read the table.

    Raises:
        ValueError: it is damaged; the message names the place.
    """
    if len(data) < 4:
        raise ValueError("no number of arrays")
    reader = _Reader(data)
    (count,) = reader.take("<I")
    table, names = [], set()
    for number in range(count):
        try:
            row = _read_row(reader)
        except (ValueError, struct.error) as error:
            raise ValueError(f"row {number}: {error}") from None
        if row.name in names:
            raise ValueError(f"row {number}: {row.name!a} is there already")
        names.add(row.name)
        table.append(row)
    if reader.at != len(data):
        raise ValueError("bytes are left over")
    return table


class _Reader:
    """Reader of numbers from the start of bytes."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> tuple[Any, ...]:
        numbers = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return numbers


def _read_row(reader: _Reader) -> StoredArray:
    (length,) = reader.take("<H")
    (name,) = reader.take(f"<{length}s")
    bits, arrangement, order, coding, dimensions = reader.take("<5B")
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f"{dimensions} dimensions")
    if bits not in FLOATS and not MIN_BITS <= bits <= MAX_BITS:
        raise ValueError(f"numbers of {bits} bits")
    if bits not in FLOATS and dimensions != 2:
        raise ValueError(f"codes of {dimensions} dimensions")
    shape = reader.take(f"<{dimensions}I")
    layout = Layout(Coding(coding), Arrangement(arrangement), Order(order))
    (size,) = reader.take("<Q")
    return StoredArray(name=name.decode(), bits=bits, layout=layout, shape=shape, size=size)


def entropy_bytes(array: Array, bits: int) -> float:
    """Return the order-0 entropy of an array's numbers, in bytes; of floats, of each byte plane.

    The array has any shape.

    >>> entropy_bytes(np.array([[1, 1, -1, -1]], np.int8), 2)
    0.5
    """
    if bits in FLOATS:
        places = array.reshape(-1).view(np.uint8).reshape(-1, bits // 8).T
        return sum(_entropy(place) for place in places)
    return _entropy(array.view(np.uint8).ravel())


def _entropy(data: Bytes) -> float:
    counts = np.bincount(data)
    counts = counts[counts > 0]
    return float(-(counts * np.log2(counts / len(data))).sum() / 8) if len(data) else 0.0
