"""Range of a source: the part of a file that one reader reads."""

from dataclasses import dataclass

from .files import Source


@dataclass(frozen=True, slots=True)
class SourceRange:
    """Range of a source; by default the whole file.

    Attributes:
        source: the file.
        start: first byte (JSON Lines) or row group (parquet); 0 for files of other kinds, which
            are read whole.
        stop: end of the range, -1 for the end of the file.
    """

    source: Source
    start: int = 0
    stop: int = -1
