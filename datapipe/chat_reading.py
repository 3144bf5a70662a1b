"""Reads JSON Lines files of conversations as Arrow record batches, in bounded memory."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spiketok import Message
from spiketok.chat import ASSISTANT, pieces
from spiketok.chat_encoding import CODES, TEXT_CODE
from spiketok.errors import SpikeError

from .chat_marks import NotForTrainingError
from .conversations import read_conversation
from .faults import (
    BROKEN_JSON,
    MALFORMED,
    NO_REPLY,
    NOT_AN_OBJECT,
    NOT_FOR_TRAINING,
    BadRecordError,
    Errors,
    Faults,
)
from .jsonl import Place, each_line, parsed_blocks
from .reading import ignore
from .sources import Source

PIECE = pa.struct([("bytes", pa.int64()), ("code", pa.uint8()), ("trained", pa.uint8())])
SCHEMA = pa.schema(
    [
        pa.field("text", pa.large_binary(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("pieces", pa.large_list(PIECE), nullable=False),
    ]
)


class Flat(NamedTuple):
    """A conversation as flat arrays: its text, and of each piece the size, the code and its use."""

    text: bytes
    sizes: list[int]
    codes: bytes
    trained: bytes


def read_conversations(
    source: Source,
    start: int,
    stop: int,
    parse_markers: bool = False,
    ignored_keys: Collection[str] = (),
    errors: Errors = "strict",
    dropped: Counter[str] | None = None,
    progress: Callable[[int], None] = ignore,
) -> Iterator[pa.RecordBatch]:
    """Yield the conversations of a range of a source, as `read_range` does documents.

    Args:
        source: the file.
        start: as for `read_range`.
        stop: as for `read_range`.
        parse_markers: find markers in the plain text of assistants.
        ignored_keys: keys of records that are passed over.
        errors: as for `read_range`.
        dropped: as for `read_range`; what is marked as not for training is always left out.
        progress: as for `read_range`.

    Yields:
        Batches with the columns `text` (large_binary: the pieces of text of a conversation,
        joined), `row` (int64: offset of the line in the decompressed content) and `pieces`
        (`bytes` of the text, 0 for a marker; `code`, see `encode_pieces`; `trained`).

    Raises:
        SpikeError: a conversation is malformed and the policy is `strict`.
    """
    refuse_other_kinds(source)
    faults = Faults(source.path, errors, Counter() if dropped is None else dropped)
    read = partial(read_conversation, parse_markers=parse_markers, ignored_keys=ignored_keys)
    parse_record = partial(parse_conversation, read=read, faults=faults)

    def parse(block: bytes, place: Place, begins_file: bool) -> list[tuple[int, Flat]]:
        return list(each_line(block, parse_record, faults, place, begins_file))

    for offset, found in parsed_blocks(source, start, stop, faults, progress, parse):
        if found:
            yield record_batch(found, offset)


def refuse_other_kinds(source: Source) -> None:
    """Refuse files that are not JSON Lines."""
    if source.kind.partition(".")[0] != "jsonl":
        raise SpikeError(f"{source.path}: conversations are read from .jsonl files only")


def parse_conversation(
    line: bytes, read: Callable[[Any], tuple[Message, ...]], faults: Faults
) -> Flat:
    """Return the conversation of one line, whose record `read` takes.

    Raises:
        BadRecordError: the line holds none, or one in which no assistant speaks.
    """
    try:
        record = json.loads(faults.decode(line))
    except (ValueError, RecursionError) as error:
        raise BadRecordError(BROKEN_JSON, str(error)) from None
    return flat_record(record, read, faults)


def flat_record(record: Any, read: Callable[[Any], tuple[Message, ...]], faults: Faults) -> Flat:
    """Return the conversation of one decoded record.

    Raises:
        BadRecordError: there is none, or one in which no assistant speaks.
    """
    if not isinstance(record, dict):
        raise BadRecordError(NOT_AN_OBJECT)
    try:
        messages = read(record)
        found = flatten(messages, faults)
    except NotForTrainingError as error:
        raise BadRecordError(NOT_FOR_TRAINING, str(error)) from None
    except SpikeError as error:
        raise BadRecordError(MALFORMED, str(error)) from None
    if 1 not in found.trained:
        said = any(one.role == ASSISTANT for one in messages)
        raise BadRecordError(NOT_FOR_TRAINING if said else NO_REPLY)
    return found


def flatten(messages: Sequence[Message], faults: Faults) -> Flat:
    """Lay the pieces of a conversation out as flat arrays."""
    row = pieces(messages)
    texts = ["" if marker else text for text, marker, _ in row]
    joined = "".join(texts)
    if joined.isascii():
        data, sizes = joined.encode(), list(map(len, texts))
    else:
        encoded = list(map(faults.encode, texts))
        data, sizes = b"".join(encoded), list(map(len, encoded))
    codes = bytes([CODES[text] if marker else TEXT_CODE for text, marker, _ in row])
    trained = bytes([trained for _, _, trained in row])
    return Flat(data, sizes, codes, trained)


def record_batch(found: Sequence[tuple[int, Flat]], offset: int) -> pa.RecordBatch:
    """Return conversations, each behind the start of its line in the block at `offset`."""
    flats = [flat for _, flat in found]
    sizes = np.fromiter(chain.from_iterable(flat.sizes for flat in flats), np.int64)
    codes, trained = (
        np.frombuffer(b"".join(parts), np.uint8)
        for parts in ([flat.codes for flat in flats], [flat.trained for flat in flats])
    )
    columns = [pa.array(column) for column in (sizes, codes, trained)]
    ends = np.cumsum([0, *(len(flat.codes) for flat in flats)])
    return pa.record_batch(
        [
            pa.array([flat.text for flat in flats], pa.large_binary()),
            pa.array([start + offset for start, _ in found], pa.int64()),
            pa.LargeListArray.from_arrays(
                pa.array(ends), pa.StructArray.from_arrays(columns, fields=list(PIECE))
            ),
        ],
        schema=SCHEMA,
    )
