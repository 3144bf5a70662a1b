r"""Line blocks: cut streams of bytes into blocks of whole lines, from any range of a file.

A line ends with `\n` and belongs to the range in which it begins, so adjacent ranges divide
the lines of a file without loss or repetition.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Protocol

from spiketok.errors import SpikeError
from spiketok.regular_files import open_regular

from .decompression import Codec, DamagedStreamError, open_decompressed
from .files import Source
from .standard_input import CODECS, ending

BLOCK_BYTES = 4 << 20
PIECE_BYTES = 64 << 10
COMPRESSIONS: dict[str, Codec] = {
    "jsonl.gz": "gzip",
    "jsonl.zst": "zstd",
    "txt.gz": "gzip",
    "txt.zst": "zstd",
}
UTF16 = (b"\xff\xfe", b"\xfe\xff")
UTF16_FAULT = "UTF-16; convert it with iconv -f UTF-16 -t UTF-8"


class Readable(Protocol):
    """Protocol of a readable stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


@dataclass(slots=True)
class Limited:
    """Limited reader: the next `left` bytes of a file."""

    file: IO[bytes]
    left: int

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        data = self.file.read(min(size, self.left))
        self.left -= len(data)
        return data


def check_compression(source: Source) -> None:
    """Check the format of a file: that it matches the name, and can be decompressed.

    Called before the files are read.

    Raises:
        SpikeError: see `open_decompressed`.
    """
    if codec := COMPRESSIONS.get(source.kind):
        opened = open_decompressed(source.path, codec, str(source.shown))
        with opened as stream, suppress(DamagedStreamError):
            inner = ending(stream.read(4))
            if inner in CODECS:
                fault = f"has {CODECS[inner]} data inside; decompress it once"
                raise SpikeError(f"{source.shown}: {fault}")
    elif source.kind in ("jsonl", "json", "csv"):
        with open_regular(source.path) as file:
            head = file.read(4)
        if head.startswith(UTF16):
            raise SpikeError(f"{source.shown}: is {UTF16_FAULT}")
        actual = ending(head)
        name = source.name.lower()
        if actual in CODECS and not name.endswith(actual):
            kind = ".tsv" if name.endswith(".tsv") else f".{source.kind}"
            # An array is not read compressed.
            fix = f"give it a name that ends in {kind}{actual}"
            fix = "decompress it first" if source.kind == "json" else fix
            raise SpikeError(f"{source.shown}: is {CODECS[actual]} data; {fix}")


@contextmanager
def open_lines(
    source: Source, start: int, stop: int
) -> Iterator[tuple[Readable, int, Callable[[], int]]]:
    """Open the lines that begin in `[start, stop)`; a `stop` of -1 is the end of the file.

    Yields:
        The stream, the offset of its first line in the decompressed content, and a function that
        returns the position in the file on disk.
    """
    if source.kind in COMPRESSIONS:
        with open_decompressed(
            source.path, COMPRESSIONS[source.kind], str(source.shown)
        ) as content:
            yield content, 0, content.position
        return
    with open_regular(source.path) as plain:
        end = source.bytes if stop < 0 else line_start(plain, stop)
        begin = line_start(plain, start)
        yield Limited(plain, max(end - begin, 0)), begin, plain.tell


def line_start(file: IO[bytes], position: int) -> int:
    """Return the start of the first line at or after `position`, and seek there."""
    file.seek(max(position - 1, 0))
    if position > 0:
        while (piece := file.readline(BLOCK_BYTES)) and not piece.endswith(b"\n"):
            pass
    return file.tell()


def line_blocks(
    stream: Readable,
    begin: int,
    max_record: int,
    on_damage: Callable[[DamagedStreamError, int], None],
    on_large: Callable[[int], None],
) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole lines, about `BLOCK_BYTES` each: (offset, bytes).

    A line with more bytes is a block by itself, without its line end.

    Args:
        stream: the lines.
        begin: offset of the first.
        max_record: a line with more bytes is skipped, unless its end was read with the bytes
            that made it too large.
        on_damage: called for a damaged compressed stream, after its last whole line, with the
            number of bytes of the next line.
        on_large: called with the offset of a skipped line.
    """
    offset, pending = begin, bytearray()
    whole = 0  # bytes of whole lines in `pending`
    passing_over = False
    while True:
        try:
            piece = stream.read(PIECE_BYTES)
        except DamagedStreamError as damage:
            if whole:
                yield offset, taken(pending, whole)
            on_damage(damage, len(pending))
            return
        if not piece:
            break
        if passing_over:
            end = piece.find(b"\n") + 1
            offset += end or len(piece)
            if not end:
                continue
            piece, passing_over = piece[end:], False
        if len(pending) > BLOCK_BYTES and (end := piece.find(b"\n")) >= 0:
            pending += piece[:end]
            piece, size = piece[end + 1 :], len(pending)
            yield offset, taken(pending, size)
            offset += size + 1
        if cut := piece.rfind(b"\n") + 1:
            whole = len(pending) + cut
        pending += piece
        passing_over = len(pending) - whole > max_record
        if whole and (len(pending) >= BLOCK_BYTES or passing_over):
            yield offset, taken(pending, whole)
            offset, whole = offset + whole, 0
        if passing_over:
            on_large(offset)
            offset += len(pending)
            pending.clear()
    if pending:
        yield offset, taken(pending, len(pending))


def taken(data: bytearray, size: int) -> bytes:
    """Return the first `size` bytes and remove them."""
    first = bytes(memoryview(data)[:size])
    del data[:size]
    return first
