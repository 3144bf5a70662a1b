"""Large JSON records: read the text in little more memory than the text itself."""

import re
from typing import Any

import msgspec

from spiketok.json_values import kind_name

from .bad_records import NO_TEXT, NOT_A_STRING, NULL_TEXT, BadRecordError
from .lines import BLOCK_BYTES

# Records with more bytes are large.
LARGE_BYTES = BLOCK_BYTES
# Text that is decoded at a time.
PIECE_BYTES = 64 << 10
# As many bytes of a JSON string as do not end inside of an escape, or between two surrogates.
WHOLE_ESCAPES = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u[dD][89abAB]..\\u....|\\u(?![dD][89abAB])....)*+", re.DOTALL
)
# First bytes of values that are neither strings nor numbers, and an example of each.
EXAMPLES: dict[bytes, object] = {b"{": {}, b"[": [], b"t": True, b"f": False}


def large_text(line: bytes, text_field: str) -> bytearray | None:
    """Return the text of a record that is UTF-8, or None where `jsonl.parse_line` must parse it.

    `json.loads` and Arrow's parser hold the text two to five times. msgspec checks the values that
    are not needed, without building objects.

    Raises:
        BadRecordError: it is JSON without a text.
    """
    record: Any = msgspec.defstruct(
        "Record", [("text", msgspec.Raw, msgspec.Raw())], rename={"text": text_field}
    )
    try:
        value = memoryview(msgspec.json.decode(line, type=record).text)
        first = bytes(value[:1])
        if first == b'"':
            return unescaped(value[1:-1])
    except (ValueError, RecursionError):
        return None  # `parse_line` also accepts NaN, lone surrogates and deeper nesting
    if not value:
        raise BadRecordError(NO_TEXT, f"no {text_field!r}")
    if first == b"n":
        raise BadRecordError(NULL_TEXT)
    raise BadRecordError(NOT_A_STRING, f"{text_field!r} is {kind_name(EXAMPLES.get(first, 0))}")


def unescaped(string: memoryview) -> bytearray:
    r"""Return the unescaped content of a JSON string.

    Raises:
        ValueError: there is a lone surrogate.

    >>> unescaped(memoryview(b"a\\n\\ud83d\\ude00")).decode()
    'a\n😀'
    """
    text = bytearray()
    start = 0
    while start < len(string):
        whole = WHOLE_ESCAPES.match(string, start, start + PIECE_BYTES)
        stop = whole.end() if whole else start
        while start < stop < len(string) and string[stop] & 0xC0 == 0x80:
            stop -= 1  # inside of a code point
        if stop == start:
            raise ValueError("a lone surrogate")
        piece = bytes(string[start:stop])
        text += msgspec.json.decode(b'"%b"' % piece, type=str).encode() if b"\\" in piece else piece
        start = stop
    return text
