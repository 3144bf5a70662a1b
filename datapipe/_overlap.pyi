"""Native search for the windows of texts in token shards; arrays are contiguous, on the CPU.

Segments are concatenated elements; their `ends` rise, and nothing that is found crosses two segments.
Objects keep copies of what they are constructed from.

Wrong array types, also read-only arrays for results, raise TypeError; sizes that do not fit raise ValueError.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

class TokenBytes:
    """Bytes of ids: segments that end at ids without bytes, which are separators and special tokens."""

    def __init__(self, entries: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        """Take the bytes of all ids, concatenated, and int64 offsets [ids + 1]."""

class WindowSet:
    """Windows of texts, and which of them were seen in segments.

    A text of at least `window` elements has one window at each position, a shorter one that is not empty has itself.
    """

    def __init__(self, texts: NDArray[Any], ends: NDArray[np.int64], window: int) -> None:
        """Collect the windows of texts.

        Args:
            texts: uint8, uint16 or uint32, concatenated.
            ends: [texts], the end of each.
            window: elements of a window, 1 to 1,024.
        """

    def scan(self, data: NDArray[Any], ends: NDArray[np.int64]) -> None:
        """Mark the windows that occur in segments: elements of the same type, and their ends [segments]."""

    def scan_decoded(self, ids: NDArray[Any], decoder: TokenBytes) -> None:
        """Mark the windows of bytes that occur in the segments of ids [tokens], uint16 or uint32."""

    def count(self, windows: NDArray[np.int64], seen: NDArray[np.int64]) -> None:
        """Fill the number of windows of each text [texts], and of those that were seen."""

class RepeatFinder:
    """Longest passages of a text that segments repeat."""

    def __init__(self, text: NDArray[np.uint8], at_least: int) -> None:
        """Take a text of at most 2^24 bytes, and the length of the shortest passage to find."""

    def scan(self, data: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Find passages in segments of bytes with their ends [segments]."""

    def scan_decoded(self, ids: NDArray[Any], decoder: TokenBytes) -> None:
        """Find passages in the segments of ids [tokens], uint16 or uint32."""

    def take(self) -> list[tuple[int, int, int]]:
        """Return passages that are longer than all before with the same end, since the last call.

        Each is its end in the text, its length, and its end in the bytes of the scan.
        """
