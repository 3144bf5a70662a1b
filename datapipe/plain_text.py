"""Reads the documents of a plain text file."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from .faults import BINARY, TRUNCATED, BadRecordError, Faults
from .jsonl import Records, is_utf8
from .lines import Readable, open_lines
from .sources import Source

PIECE_BYTES = 1 << 20
# A byte 0 in the first bytes makes a file binary, as for git; UTF-16 has such bytes too.
HEAD_BYTES = 8000
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(source: Source, faults: Faults, progress: Callable[[int], None]) -> Iterator[Records]:
    """Yield the text of a source as one document; `progress` as in `read_jsonl`."""
    with open_lines(source, 0, -1) as (stream, _, position):
        data = read_all(stream, faults)
        done = position()
    try:
        refuse_binary(data)
        if not is_utf8(data):
            data = faults.decode(data).encode()
    except BadRecordError as fault:
        faults.drop(fault, lambda: "the text")
        return
    progress(done)
    yield pa.array([data], pa.large_binary()), np.zeros(1, dtype=np.int64)


def read_all(stream: Readable, faults: Faults) -> bytes:
    """Read a stream to its end, or to where it is damaged, by the policy of `faults`."""
    parts: list[bytes] = []
    try:
        while part := stream.read(PIECE_BYTES):
            parts.append(part)
    except OSError as error:
        done = sum(map(len, parts))
        fault = BadRecordError(TRUNCATED, str(error))
        faults.drop(fault, lambda: f"after byte {done} of the content")
    return b"".join(parts)


def refuse_binary(head: bytes) -> None:
    """Refuse what is no text by its first bytes.

    Raises:
        BadRecordError: there is a byte 0, or the text is UTF-16.
    """
    if head.startswith(UTF16):
        raise BadRecordError(BINARY, "UTF-16; iconv -f UTF-16 -t UTF-8 makes it UTF-8")
    if (place := head[:HEAD_BYTES].find(b"\0")) >= 0:
        raise BadRecordError(BINARY, f"byte 0 at byte {place}")
