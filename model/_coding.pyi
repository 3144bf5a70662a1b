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
    """Return the code of a matrix [rows, columns] of symbols below 2^bits."""

def decode_symbols(
    data: NDArray[np.uint8],
    rows: int,
    columns: int,
    bits: int,
    centre: int,
    cells: NDArray[np.uint32],
) -> NDArray[np.uint8]:
    """Return the matrix [rows, columns] of a code."""
