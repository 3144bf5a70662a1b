r"""Text splitting: cut a stream of plain text into documents.

The cuts depend on the bytes of a text alone; memory holds a piece and a lookahead. Except around a
marker nothing is lost: joined, the pieces are the text.
"""

import re
from collections.abc import Callable, Iterator

from spiketok.errors import SettingError

AUTO, NONE, LINES, PARAGRAPHS = "auto", "none", "lines", "paragraphs"
# `auto` cuts texts that have more bytes, into pieces of about `AUTO_BYTES`.
AUTO_ABOVE = 256 << 10
AUTO_BYTES = 32 << 10
MIN_BYTES = 1024
READ_BYTES = 1 << 20
# A line end with the blank lines after it: any number of them, at least one.
LINE_END = re.compile(rb"\n(?:[ \t\r]*\n)*")
PARAGRAPH_END = re.compile(rb"\n(?:[ \t\r]*\n)+")
MISTYPED = re.compile(r"[a-z]+|-?[0-9]+[.,_]?[0-9]*[A-Za-z]+|-[0-9]+")
BLANKS = b" \t\r"
AROUND_MARKER = b" \t\r\n"


class Buffer:
    """Buffer of a stream: the bytes read from `start` on.

    Attributes:
        data: bytes that were read and not taken.
        start: offset of `data` in the stream.
        ended: whether the stream has no more.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.data = bytearray()
        self.start = 0
        self.ended = False
        self._read = read

    def fill(self, size: int) -> None:
        """Read until `data` has at least `size` bytes, or the stream has ended."""
        while len(self.data) < size and not self.ended:
            part = self._read(READ_BYTES)
            self.data += part
            self.ended = not part

    def take(self, size: int) -> bytes:
        """Return the first `size` bytes and remove them from `data`."""
        piece = bytes(memoryview(self.data)[:size])
        del self.data[:size]
        self.start += size
        return piece


def check_split(split: str) -> None:
    """Check that `split` is a valid way to split text.

    Raises:
        SettingError: `split` is empty, a number below `MIN_BYTES`, or most likely a mistyped word
            or number: a marker must have more than small letters, and not be a number with a unit.
    """
    if split in (AUTO, NONE, LINES, PARAGRAPHS):
        return
    if not split:
        raise SettingError("split_text", "the marker is empty; give one, or none")
    if split.isdecimal() and int(split) < MIN_BYTES:
        raise SettingError("split_text", f"{split} bytes are too few; choose at least {MIN_BYTES}")
    if MISTYPED.fullmatch(split):
        ways = f"{AUTO}, {NONE}, {LINES}, {PARAGRAPHS}, a number of bytes or a marker"
        raise SettingError("split_text", f"{split!r} is not a way to split; use {ways}")


def text_pieces(buffer: Buffer, split: str) -> Iterator[tuple[int, bytes | bytearray]]:
    """Yield the pieces of a text and the offset of each, at least one.

    Args:
        buffer: the text, from its beginning.
        split: `none`; `lines`, `paragraphs`: blank lines belong to the piece before them; a number:
            pieces of about that many bytes, see `even_pieces`; `auto`: the same with `AUTO_BYTES`
            where the text has more than `AUTO_ABOVE` bytes, else `none`; any other word: a marker
            between documents, see `marked_pieces`.
    """
    if split == AUTO:
        buffer.fill(AUTO_ABOVE + 1)
        split = str(AUTO_BYTES) if len(buffer.data) > AUTO_ABOVE else NONE
    if split == NONE:
        while not buffer.ended:
            buffer.fill(len(buffer.data) + READ_BYTES)
        yield 0, buffer.data
    elif split == LINES:
        yield from pieces_after(buffer, LINE_END)
    elif split == PARAGRAPHS:
        yield from pieces_after(buffer, PARAGRAPH_END)
    elif split.isdecimal():
        yield from even_pieces(buffer, int(split))
    else:
        yield from marked_pieces(buffer, split.encode())


def even_pieces(buffer: Buffer, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of about `size` bytes, at most twice as many.

    There is one cut in each block of `size` bytes but the first: after the first blank lines that
    end in the block, else after the first line end, else at the code point boundary where the block
    begins. A last block of less than half the size has none.
    """
    for block in range(size, 1 << 63, size):
        begin = block - buffer.start
        buffer.fill(begin + size)
        if len(buffer.data) < begin + size // 2:
            break
        stop = cut_in(buffer.data, begin, min(begin + size, len(buffer.data)))
        if stop > 0:
            yield buffer.start, buffer.take(stop)
    if buffer.data or not buffer.start:
        yield buffer.start, buffer.take(len(buffer.data))


def cut_in(data: bytearray, begin: int, stop: int) -> int:
    """Return the position at which to cut the block `[begin, stop)`."""
    if match := PARAGRAPH_END.search(data, begin, stop):
        return match.end()
    if (line_end := data.find(b"\n", begin, stop)) >= 0:
        return line_end + 1
    # A code point has at most three continuation bytes; a fourth belongs to none.
    for back in range(min(4, begin + 1)):
        if data[begin - back] & 0xC0 != 0x80:
            return begin - back
    return begin


def pieces_after(buffer: Buffer, pattern: re.Pattern[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield pieces that end where the pattern does, none of them blank unless the text is."""
    pieces = 0
    while True:
        # Twice as much where there was no end: a long line is not searched again and again.
        buffer.fill(max(READ_BYTES, 2 * len(buffer.data)))
        ends = [match.end() for match in pattern.finditer(buffer.data)]
        # Blanks at the end of what is read may begin another blank line.
        if ends and not buffer.data[ends[-1] :].strip(BLANKS):
            ends.pop()
        begin = buffer.start
        for end in ends:
            size = end - (buffer.start - begin)
            if buffer.data[:size].strip(AROUND_MARKER):
                yield buffer.start, buffer.take(size)
                pieces += 1
        if buffer.ended:
            break
    if buffer.data or not pieces:
        yield buffer.start, buffer.take(len(buffer.data))


def marked_pieces(buffer: Buffer, marker: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the pieces between markers that are not blank, or one empty piece.

    The marker, and blanks and line ends around it, belong to no piece.
    """
    searched = pieces = 0
    is_after_marker = False
    while True:
        at = buffer.data.find(marker, searched)
        if at < 0 and not buffer.ended:
            searched = max(len(buffer.data) - len(marker) + 1, 0)
            buffer.fill(max(READ_BYTES, 2 * len(buffer.data)))
            continue
        offset, piece = buffer.start, buffer.take(len(buffer.data) if at < 0 else at)
        if is_after_marker:
            offset += len(piece) - len(piece := piece.lstrip(AROUND_MARKER))
        if at >= 0:
            piece = piece.rstrip(AROUND_MARKER)
            buffer.take(len(marker))
        if piece:
            yield offset, piece
            pieces += 1
        if at < 0:
            break
        searched, is_after_marker = 0, True
    if not pieces:
        yield 0, b""
