r"""Cuts streams of bytes into blocks of whole lines, from any range of a file.

A line ends with `\n` and belongs to the range in which it begins, so ranges that touch share out
the lines of a file without loss or repetition.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Protocol

from .decompression import Codec, DamagedStreamError, open_decompressed
from .sources import Source

BLOCK_BYTES = 4 << 20
PIECE_BYTES = 64 << 10
COMPRESSIONS: dict[str, Codec] = {
    "jsonl.gz": "gzip",
    "jsonl.zst": "zstd",
    "txt.gz": "gzip",
    "txt.zst": "zstd",
}


class Readable(Protocol):
    """What is asked of a stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


@dataclass(slots=True)
class Limited:
    """The next `left` bytes of a file."""

    file: IO[bytes]
    left: int

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data


@contextmanager
def open_lines(
    source: Source, start: int, stop: int
) -> Iterator[tuple[Readable, int, Callable[[], int]]]:
    """Open the lines that begin in `[start, stop)`; a `stop` of -1 is the end of the file.

    Yields:
        The stream, the offset of its first line in the decompressed content, and a function that
        tells the position in the file as it lies on disk.
    """
    if source.kind in COMPRESSIONS:
        with open_decompressed(source.path, COMPRESSIONS[source.kind]) as content:
            yield content, 0, content.position
        return
    with source.path.open("rb") as plain:
        end = source.bytes if stop < 0 else line_start(plain, stop)
        begin = line_start(plain, start)
        yield Limited(plain, max(end - begin, 0)), begin, plain.tell


def line_start(file: IO[bytes], position: int) -> int:
    """Return where the first line at or after `position` begins, and leave the file there."""
    file.seek(max(position - 1, 0))
    if position > 0:
        while (piece := file.readline(BLOCK_BYTES)) and not piece.endswith(b"\n"):
            pass
    return file.tell()


def line_blocks(
    stream: Readable, begin: int, on_damage: Callable[[DamagedStreamError], None]
) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole lines, about `BLOCK_BYTES` each: (offset, bytes).

    A compressed stream that is damaged ends early; `on_damage` hears of it after the last whole
    line.
    """
    offset, pending, pending_bytes = begin, [b""], 0
    while True:
        try:
            piece = stream.read(PIECE_BYTES)
        except DamagedStreamError as damage:
            rest = b"".join(pending)
            whole = rest.rfind(b"\n") + 1
            if whole:
                yield offset, rest[:whole]
            on_damage(damage)
            return
        if not piece:
            break
        pending.append(piece)
        pending_bytes += len(piece)
        cut = piece.rfind(b"\n") + 1
        if pending_bytes >= BLOCK_BYTES and cut:
            pending[-1] = piece[:cut]
            block = b"".join(pending)
            yield offset, block
            offset += len(block)
            pending, pending_bytes = [piece[cut:]], len(piece) - cut
    if pending_bytes:
        yield offset, b"".join(pending)
