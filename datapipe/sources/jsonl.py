"""JSON Lines reader: the documents of a file or of a range of its bytes.

A block of lines goes to Arrow's parser, which runs in parallel with other threads. Blocks that
Arrow rejects, or would cut elsewhere than at line ends, go to `parse_line`, the definition. Where
the fast path has a result, the definition has the same. A line that is a block by itself goes to
`large_text`, since Arrow holds it three times. Blank lines are not records.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.json

from spiketok.errors import parse_fault
from spiketok.json_values import kind_name

from .bad_records import (
    BROKEN_JSON,
    MAX_RECORD,
    NO_TEXT,
    NOT_A_STRING,
    NOT_AN_OBJECT,
    NULL_TEXT,
    BadRecordError,
    ErrorPolicy,
)
from .files import Source
from .large_record import LARGE_BYTES, large_text
from .lines import PIECE_BYTES, line_blocks, open_lines
from .source_range import SourceRange

MAX_ARROW_BLOCK = 1 << 30
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
WHITESPACE = b" \t\r"
# Texts (large_binary) and the offset at which the line of each begins.
Records: TypeAlias = tuple[pa.LargeBinaryArray, npt.NDArray[np.int64]]
# Formats the number of a line in its block and the byte of the block at which it begins.
Place: TypeAlias = Callable[[int, int], str]
Parsed = TypeVar("Parsed")


def read_jsonl(
    part: SourceRange,
    text_field: str,
    faults: ErrorPolicy,
    progress: Callable[[int], None],
) -> Iterator[Records]:
    """Yield the documents whose lines begin in a range, block by block.

    Args:
        part: the range.
        text_field: the member with the text.
        faults: the policy for broken records.
        progress: called after each block with the number of newly read bytes of the file on disk.
    """

    def parse(block: bytes, place: Place) -> Records:
        if is_large(block):
            return parse_lines(block, text_field, faults, place)
        quick = parse_block(block, text_field, faults.max_record)
        return quick or parse_lines(block, text_field, faults, place)

    for offset, (texts, starts) in parsed_blocks(part, faults, progress, parse):
        yield texts, starts + offset
        del texts


def parsed_blocks(
    part: SourceRange,
    faults: ErrorPolicy,
    progress: Callable[[int], None],
    parse: Callable[[bytes, Place], Parsed],
) -> Iterator[tuple[int, Parsed]]:
    """Yield the parsed records of each block of lines, after the block's offset.

    Args:
        part: the range.
        faults: the policy for broken records.
        progress: called after each block with the number of newly read bytes of the file on disk.
        parse: parses a block; its second argument formats the place of a line.
    """

    def place(block_offset: int, number: int, start: int) -> str:
        return (
            f"line {count_lines(part.source, block_offset) + number} (byte {block_offset + start})"
        )

    def large(offset: int) -> None:
        faults.drop(faults.too_large(), partial(place, offset, 1, 0))

    with open_lines(part.source, part.start, part.stop) as (stream, begin, position):
        reached = position()
        for offset, block in line_blocks(stream, begin, faults.max_record, faults.drop_rest, large):
            parsed = parse(block, partial(place, offset))
            del block  # it may be very large, and is not needed while `parsed` is
            progress(position() - reached)
            reached = position()
            yield offset, parsed
            del parsed


def count_lines(source: Source, stop: int) -> int:
    """Count the lines that end before byte `stop` of a source's content, for errors."""
    lines = 0
    with open_lines(source, 0, -1) as (stream, _, _):
        while stop > 0 and (piece := stream.read(min(stop, PIECE_BYTES))):
            lines += piece.count(b"\n")
            stop -= len(piece)
    return lines


def parse_block(block: bytes, text_field: str, max_record: int = MAX_RECORD) -> Records | None:
    """Parse well-formed lines at once; return None where `parse_line` must parse them.

    Arrow reads values one after the other and treats line ends as blanks. When each line begins
    with `{` and ends with `}`, no value can span lines: `}` and `{` never meet inside one. As many
    values as lines then means one per line.
    """
    if not 0 < len(block) <= MAX_ARROW_BLOCK or b"\0" in block or not is_utf8(block):
        return None
    octets = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(octets == ord("\n"))
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.int64)
    if (ends - starts).max() > max_record:
        return None
    lasts = ends - 1
    lasts -= octets[lasts] == ord("\r")
    if not ((octets[starts] == ord("{")) & (octets[lasts] == ord("}"))).all():
        return None
    texts = arrow_texts(block, text_field)
    if texts is None or len(texts) != len(starts) or texts.null_count:
        return None
    return texts, starts


def arrow_texts(block: bytes, text_field: str) -> pa.LargeBinaryArray | None:
    """Return the text of every object in a block, null where it has none; None if Arrow fails."""
    try:
        table = pa.json.read_json(
            pa.BufferReader(block),
            # One parser block: values never straddle a border of Arrow's own.
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=pa.json.ParseOptions(
                explicit_schema=pa.schema([(text_field, pa.string())]),
                unexpected_field_behavior="ignore",
            ),
        )
    except pa.ArrowInvalid:
        return None
    return pa.concat_arrays(
        [chunk.cast(pa.large_binary()) for chunk in table.column(text_field).chunks]
        or [pa.array([], pa.large_binary())]
    )


def is_utf8(data: bytes | bytearray) -> bool:
    """Return whether bytes are UTF-8, without blocking other threads."""
    ends = pa.py_buffer(np.array([0, len(data)], dtype=np.int64))
    text = pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)])
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def all_utf8(texts: pa.LargeBinaryArray) -> bool:
    """Return whether each text of an array is UTF-8."""
    try:
        texts.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def is_large(block: bytes) -> bool:
    """Return whether a block is one line of more than `LARGE_BYTES`."""
    return len(block) > LARGE_BYTES and b"\n" not in block


def parse_lines(block: bytes, text_field: str, faults: ErrorPolicy, place: Place) -> Records:
    """Parse a block line by line.

    Args:
        block: whole lines.
        text_field: the member with the text.
        faults: the policy for broken records.
        place: formats the place of a line.
    """
    parse = partial(parse_line, text_field=text_field, faults=faults)
    return as_records(list(each_line(block, parse, faults, place)))


def as_records(pairs: Sequence[tuple[int, bytes | bytearray]]) -> Records:
    """Return (offset, text) pairs as arrays."""
    texts = as_array([text for _, text in pairs])
    return texts, np.array([start for start, _ in pairs], dtype=np.int64)


def as_array(texts: Sequence[bytes | bytearray]) -> pa.LargeBinaryArray:
    """Return texts as an array; a single one, which may be very large, without a copy."""
    if len(texts) != 1:
        return pa.array(texts, pa.large_binary())
    ends = pa.py_buffer(np.array([0, len(texts[0])], dtype=np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(texts[0])])


def each_line(
    block: bytes,
    parse: Callable[[bytes], Parsed],
    faults: ErrorPolicy,
    place: Place,
) -> Iterator[tuple[int, Parsed]]:
    """Yield the parsed record of each line that is not blank or broken, after its start.

    Args:
        block: whole lines.
        parse: parses a line.
        faults: the policy for broken records.
        place: formats the place of a line.
    """
    start = 0
    for number, line in enumerate(block.split(b"\n"), 1):
        # Files that were joined may each begin with a mark.
        content = line.removeprefix(BYTE_ORDER_MARK)
        if content.strip(WHITESPACE):
            try:
                faults.check_size(len(line))
                parsed = parse(content)
            except BadRecordError as fault:
                faults.drop(fault, partial(place, number, start))
            else:
                yield start, parsed
        start += len(line) + 1


def parse_line(line: bytes, text_field: str, faults: ErrorPolicy) -> bytes | bytearray:
    """Return the text of one line as UTF-8; of a repeated member the last counts.

    Raises:
        BadRecordError: the line has no usable text.
    """
    if len(line) > LARGE_BYTES and is_utf8(line):
        text = large_text(line, text_field)
        if text is not None:
            return text
    return parse_any(line, text_field, faults)


def parse_any(line: bytes, text_field: str, faults: ErrorPolicy) -> bytes:
    """Parse as `parse_line` does, in several times the memory of the line.

    Raises:
        BadRecordError: the line has no usable text.
    """
    try:
        record: Any = DECODER.decode(faults.decode(line))
    except (ValueError, RecursionError) as error:
        # Arrow also accepts deep nesting and `-NaN`, in a block and so here too.
        quick = parse_block(line, text_field)
        if quick is None:
            raise BadRecordError(BROKEN_JSON, parse_fault(error)) from None
        return bytes(quick[0][0].as_buffer())
    if not isinstance(record, dict):
        raise BadRecordError(NOT_AN_OBJECT)
    if text_field not in record:
        raise BadRecordError(
            NO_TEXT, f"no {text_field!r} among {', '.join(map(repr, list(record)[:8]))}"
        )
    text = record[text_field]
    if text is None:
        raise BadRecordError(NULL_TEXT)
    if not isinstance(text, str):
        raise BadRecordError(NOT_A_STRING, f"{text_field!r} is {kind_name(text)}")
    return faults.encode(text)


# Numbers are never used, and Python cannot convert very many digits to an int.
DECODER = json.JSONDecoder(parse_int=float, parse_float=float)
