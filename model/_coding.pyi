"""The compiled coder of weights (docs/formats.md, section 9); arrays are contiguous, on the CPU.

Wrong array types, also read-only cells, raise TypeError; sizes that do not fit, symbols of too many bits and bytes that
are too few or too many raise ValueError. `cells` learn in place.
"""

import numpy as np
from numpy.typing import NDArray

def cell_count(bits: int) -> int:
    """Return how many cells the symbols of so many bits need."""

def encode_symbols(
    symbols: NDArray[np.uint8], bits: int, centre: int, cells: NDArray[np.uint32]
) -> bytes:
    """Return the coded matrix [rows, columns] of symbols below 2^bits."""

def decode_symbols(
    data: NDArray[np.uint8],
    rows: int,
    columns: int,
    bits: int,
    centre: int,
    cells: NDArray[np.uint32],
) -> NDArray[np.uint8]:
    """Return the matrix [rows, columns] that was coded."""
