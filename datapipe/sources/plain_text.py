"""Plain text reader: documents of a text file, in bounded memory where the text is split."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from . import lines
from .bad_records import BINARY, BadRecordError, ErrorPolicy
from .decompression import DamagedStreamError
from .files import Source
from .jsonl import Records, all_utf8, as_array, is_utf8
from .lines import UTF16, UTF16_FAULT, Readable, open_lines
from .standard_input import BINARY_BYTES
from .text_splitting import Buffer, text_pieces

BATCH_BYTES = 4 << 20


def read_text(
    source: Source, split: str, faults: ErrorPolicy, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the pieces of a text, about `BATCH_BYTES` a batch, and the offset of each.

    Args:
        source: a file of the kind `txt`, `txt.gz` or `txt.zst`.
        split: the way to split it, see `text_pieces`.
        faults: the policy for a piece that is not UTF-8, and for a file that is damaged.
        progress: called with the number of newly read bytes of the file on disk.
    """
    with open_lines(source, 0, -1) as (stream, _, position):
        buffer = Buffer(lambda size: read_sound(stream, size, buffer, faults))
        buffer.fill(BINARY_BYTES)
        try:
            check_no_binary(buffer.data)
        except BadRecordError as fault:
            faults.drop(fault, lambda: "the text")
            return
        reached = 0
        for offsets, pieces in batches(text_pieces(buffer, split)):
            records = checked(offsets, pieces, faults)
            del pieces
            progress(position() - reached)
            reached = position()
            yield records
            del records


def read_sound(stream: Readable, size: int, buffer: Buffer, faults: ErrorPolicy) -> bytes:
    """Read for a buffer; at damage of the stream the text ends, by the policy of `faults`.

    Args:
        stream: the text.
        size: the maximum number of bytes.
        buffer: the bytes read so far, without a part of a code point after damage.
        faults: the policy for damage.
    """
    try:
        return stream.read(min(size, lines.PIECE_BYTES))
    except DamagedStreamError as damage:
        faults.drop_rest(damage)
        remove_part_of_code_point(buffer.data)
        return b""


def remove_part_of_code_point(data: bytearray) -> None:
    """Remove the beginning of a code point at the end of a text that was cut.

    >>> data = bytearray("aé😀".encode()[:-1])
    >>> remove_part_of_code_point(data)
    >>> data.decode()
    'aé'
    """
    for back in range(1, min(3, len(data)) + 1):
        lead = data[-back]
        if lead & 0xC0 != 0x80:
            size = 2 + (lead >= 0xE0) + (lead >= 0xF0) if lead >= 0xC0 else 1
            if size > back:
                del data[-back:]
            return


def check_no_binary(head: bytearray) -> None:
    """Check that the first bytes of a file are text.

    Raises:
        BadRecordError: there is a byte 0, or the text is UTF-16.
    """
    if head.startswith(UTF16):
        raise BadRecordError(BINARY, UTF16_FAULT)
    if (place := head[:BINARY_BYTES].find(b"\0")) >= 0:
        raise BadRecordError(BINARY, f"byte 0 at byte {place}")


def batches(
    pieces: Iterator[tuple[int, bytes | bytearray]],
) -> Iterator[tuple[list[int], list[bytes | bytearray]]]:
    """Yield pieces in lists of about `BATCH_BYTES`, with their offsets."""
    offsets: list[int] = []
    batch: list[bytes | bytearray] = []
    size = 0
    for offset, piece in pieces:
        offsets.append(offset)
        batch.append(piece)
        size += len(piece)
        if size >= BATCH_BYTES:
            yield offsets, batch
            offsets, batch, size = [], [], 0
    if batch:
        yield offsets, batch


def checked(
    offsets: Sequence[int], pieces: Sequence[bytes | bytearray], faults: ErrorPolicy
) -> Records:
    """Return the pieces that the policy for broken records keeps, and their offsets."""
    texts = as_array(pieces)
    largest = max(map(len, pieces))
    if len(pieces) > 1 and largest <= faults.max_record and all_utf8(texts):
        return texts, np.array(offsets, dtype=np.int64)
    kept: list[bytes | bytearray] = []
    kept_offsets: list[int] = []
    for offset, piece in zip(offsets, pieces, strict=True):
        try:
            faults.check_size(len(piece))
            kept.append(piece if is_utf8(piece) else faults.decode(piece).encode())
            kept_offsets.append(offset)
        except BadRecordError as fault:
            faults.drop(fault, partial(place_of, offset))
    return as_array(kept), np.array(kept_offsets, dtype=np.int64)


def place_of(offset: int) -> str:
    """Describe where a piece of a text begins."""
    return f"the text from byte {offset}" if offset else "the text"
