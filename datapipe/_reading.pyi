"""Native positioned reads of rows; arrays are contiguous, on the CPU.

Row i has the tokens from `starts[i]` on, of `width` bytes each. `runs` [lines, runs + 1] has a column for each run of
adjacent tokens in a file, by rising first token; the last column has the end of the last run. Its lines: the first
token; the descriptor of the file, -1 where it is not open; the index of the file's first range of `range_bytes` in
`unchecked`; then lines of file offsets, the byte where the tokens begin, of which `line` selects one.
`unchecked` is 0 for ranges that were compared with their checksums, else 1 or 2.

Wrong array types, also read-only arrays for results, raise TypeError; sizes that do not fit raise ValueError.
"""

import numpy as np
from numpy.typing import NDArray

def unchecked_ranges(
    starts: NDArray[np.int64],
    runs: NDArray[np.int64],
    line: int,
    unchecked: NDArray[np.uint8],
    range_bytes: int,
    width: int,
    size: int,
) -> list[int]:
    """Return the ranges that rows touch and that are 1 in `unchecked`, and set them to 2.

    Rows that go beyond their run, and those of files that are not open, are skipped.

    Args:
        starts: [rows], the first token of each.
        runs: [lines, runs + 1], see the module.
        line: the line of `runs` with the offsets to use.
        unchecked: [ranges], changed.
        range_bytes: bytes of a range.
        width: bytes of a token.
        size: bytes of a row.
    """

def read_rows(
    starts: NDArray[np.int64],
    runs: NDArray[np.int64],
    line: int,
    unchecked: NDArray[np.uint8],
    range_bytes: int,
    width: int,
    rows: NDArray[np.uint8],
    begin: int,
) -> int:
    """Fill rows from `begin` on and return the first one that is not filled, else their number.

    A row is not filled where it goes beyond its run, where its file is not open, where it touches an unchecked
    range, and where the file has not all of its bytes.

    Args:
        starts: [rows], the first token of each.
        runs: [lines, runs + 1], see the module.
        line: the line of `runs` with the offsets to use.
        unchecked: [ranges].
        range_bytes: bytes of a range.
        width: bytes of a token.
        rows: [rows, bytes], filled.
        begin: the first row to fill.
    """
