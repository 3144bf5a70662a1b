"""Native arithmetic coder of weights (docs/formats.md, section 9); arrays are contiguous, on the CPU.

Wrong array types, also read-only cells, raise TypeError; sizes that do not fit, symbols of too many bits and bytes that
are too few or too many raise ValueError. `cells` are updated in place.
"""

import numpy as np
from numpy.typing import NDArray

def cell_count(bits: int) -> int:
    """Return the number of cells for symbols of `bits` bits."""

def encode_symbols(
    symbols: NDArray[np.uint8], bits: int, centre: int, cells: NDArray[np.uint32]
) -> bytes:
    """Return the code of a matrix.

    Args:
        symbols: [rows, columns], each below 2^bits.
        bits: of a symbol.
        centre: the symbol of size 0.
        cells: [cell_count(bits)]; are updated.
    """

def decode_symbols(
    data: NDArray[np.uint8],
    rows: int,
    columns: int,
    bits: int,
    centre: int,
    cells: NDArray[np.uint32],
) -> NDArray[np.uint8]:
    """Return the matrix [rows, columns] of a code.

    Args:
        data: [size], the code.
        rows: of the matrix.
        columns: of the matrix.
        bits: of a symbol.
        centre: the symbol of size 0.
        cells: [cell_count(bits)], as before `encode_symbols`; are updated.
    """
