"""Adaptive binary range coder: reference in plain Python, which the native code equals.

docs/formats.md, section 9. A symbol is coded bit by bit; each bit has an adaptive probability, a
cell, of a binary tree that the sizes of the neighbours select.
"""

from collections.abc import Iterator, Sequence

CLASSES = 64
FRESH_CELL = 1 << 31
MAX_SEEN = 255
PRIOR = 16
WHOLE = 0xFFFFFFFF


def encode(symbols: Sequence[Sequence[int]], bits: int, centre: int, cells: list[int]) -> bytes:
    """Return the coded matrix.

    Args:
        symbols: rows of equal length, each symbol below 2^bits.
        bits: of a symbol.
        centre: the symbol of size 0.
        cells: [64 · 2^bits], the adaptive probabilities; are updated.
    """
    low, high, written = 0, WHOLE, bytearray()
    columns = len(symbols[0]) if symbols else 0
    flat = iter([symbol for row in symbols for symbol in row])
    for tree, sizes in expected_trees(len(symbols), columns, bits):
        symbol, node = next(flat), 1
        for place in reversed(range(bits)):
            bit = symbol >> place & 1
            low, high = part(low, high, cells[tree + node], bit)
            cells[tree + node] = learned(cells[tree + node], bit)
            while low >> 24 == high >> 24:
                written.append(low >> 24)
                low, high = shifted(low, high)
            node = 2 * node + bit
        sizes.append(abs(symbol - centre))
    return bytes(written) + low.to_bytes(4)


def decode(
    data: bytes, rows: int, columns: int, bits: int, centre: int, cells: list[int]
) -> list[list[int]]:
    """Return the decoded matrix.

    Args:
        data: the coded bytes.
        rows: of the matrix.
        columns: of the matrix.
        bits: of a symbol.
        centre: the symbol of size 0.
        cells: as before `encode`; are updated.

    Raises:
        ValueError: the bytes end too early or are left over.
    """
    low, high, number, at = 0, WHOLE, int.from_bytes(data[:4]), 4
    symbols: list[int] = []
    for tree, sizes in expected_trees(rows, columns, bits):
        node = 1
        for _ in range(bits):
            bit = number <= middle(low, high, cells[tree + node])
            low, high = part(low, high, cells[tree + node], bit)
            cells[tree + node] = learned(cells[tree + node], bit)
            while low >> 24 == high >> 24:
                number = (number << 8 & WHOLE) | int.from_bytes(data[at : at + 1])
                at += 1
                low, high = shifted(low, high)
            node = 2 * node + bit
        symbols.append(node - (1 << bits))
        sizes.append(abs(symbols[-1] - centre))
    if at != len(data):
        raise ValueError("the bytes end too early" if at > len(data) else "bytes are left over")
    return [symbols[row * columns : (row + 1) * columns] for row in range(rows)]


def expected_trees(rows: int, columns: int, bits: int) -> Iterator[tuple[int, list[int]]]:
    """Yield for each symbol its tree's first cell, and a list to which the caller adds its size.

    The expected size is mean of row · mean of column / mean of all, on a logarithmic scale.
    """
    start = 256 * 2**bits // 6
    above = [0] * columns
    total = 0
    for row in range(rows):
        mean = max(1, (256 * total + PRIOR * start) // (row * columns + PRIOR))
        sizes: list[int] = []
        for column in range(columns):
            in_row = max(1, (256 * sum(sizes) + PRIOR * mean) // (column + PRIOR))
            in_column = max(1, (256 * above[column] + PRIOR * mean) // (row + PRIOR))
            expected = level(in_row) + level(in_column) - level(mean) >> 4
            yield min(max(expected, 0), CLASSES - 1) << bits, sizes
            above[column] += sizes[-1]
        total += sum(sizes)


def level(number: int) -> int:
    """Return 64 · log2 of a number, linearly interpolated between powers of two.

    >>> [level(number) for number in (1, 2, 3, 4)]
    [0, 64, 96, 128]
    """
    whole = number.bit_length() - 1
    return 64 * whole + (number * 64 >> whole) - 64


def middle(low: int, high: int, cell: int) -> int:
    """Return the last number of the interval's lower part, the part of the bit 1."""
    return low + ((high - low) * min(max(cell >> 16, 16), 65_520) >> 16)


def part(low: int, high: int, cell: int, bit: int) -> tuple[int, int]:
    """Return the part of the interval that belongs to the bit.

    Args:
        low: first number of the interval.
        high: last number of the interval.
        cell: probability of the bit.
        bit: 0 or 1.
    """
    last = middle(low, high, cell)
    return (low, last) if bit else (last + 1, high)


def shifted(low: int, high: int) -> tuple[int, int]:
    """Return the interval without its settled highest byte."""
    return low << 8 & WHOLE, (high << 8 & WHOLE) | 255


def learned(cell: int, bit: int) -> int:
    """Return the cell after an update by the bit."""
    seen, probability = cell & 1023, cell >> 10
    target = (1 << 22) - 1 if bit else 0
    probability += (target - probability) * (327_680 // (5 * seen + 8)) >> 16
    return probability << 10 | min(seen + 1, MAX_SEEN)
