"""Chat reader: files of conversations as Arrow record batches, in bounded memory.

The files are JSON Lines, JSON arrays, parquet or Arrow; `chat_records.py` reads their records.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from spiketok import Message
from spiketok.chat.chatml import pieces
from spiketok.chat.encoding import CODES, TEXT_CODE
from spiketok.chat.loss_mask import ASSISTANT
from spiketok.errors import SpikeError, parse_fault

from .arrow_tables import table_records
from .bad_records import (
    BROKEN_JSON,
    MALFORMED,
    MAX_RECORD,
    NO_REPLY,
    NOT_AN_OBJECT,
    NOT_FOR_TRAINING,
    BadRecordError,
    Dropped,
    ErrorPolicy,
    Errors,
)
from .chat_labels import NotForTrainingError
from .chat_records import read_conversation
from .files import Source
from .json_array import begins_array, parsed_elements
from .jsonl import Place, as_array, each_line, parsed_blocks
from .reader import ignore
from .source_range import SourceRange

PIECE = pa.struct([("bytes", pa.int64()), ("code", pa.uint8()), ("trained", pa.uint8())])
SCHEMA = pa.schema(
    [
        pa.field("text", pa.large_binary(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("pieces", pa.large_list(PIECE), nullable=False),
    ]
)


TABLES = ("parquet", "arrow")
# Converts a decoded record to messages, as `read_conversation`.
Reader: TypeAlias = Callable[..., tuple[Message, ...]]
# Called with the number of newly read bytes.
Progress: TypeAlias = Callable[[int], None]


class Flat(NamedTuple):
    """Conversation as flat arrays.

    Attributes:
        text: its pieces of text, joined.
        sizes: bytes of each piece; 0 for a marker.
        codes: code of each piece, see `encode_pieces`.
        trained: for each piece 1 if it is trained on, else 0.
    """

    text: bytes
    sizes: list[int]
    codes: bytes
    trained: bytes


def read_conversations(
    part: SourceRange,
    parse_markers: bool = False,
    ignored_keys: Collection[str] = (),
    errors: Errors = "strict",
    dropped: Dropped | None = None,
    progress: Callable[[int], None] = ignore,
    max_record: int = MAX_RECORD,
) -> Iterator[pa.RecordBatch]:
    """Yield the conversations of a range of a source, as `read_range` does documents.

    Args:
        part: the range.
        parse_markers: find markers in the plain text of assistants.
        ignored_keys: ignored keys of records.
        errors: as for `read_range`.
        dropped: as for `read_range`; records marked as not for training are always left out.
        progress: as for `read_range`.
        max_record: as for `read_range`, of records in JSON and rows of tables.

    Yields:
        Batches with the columns `text` (large_binary: the pieces of text of a conversation,
        joined), `row` (int64: offset of the record in the decompressed content, or row of a table)
        and `pieces` (`bytes` of the text, 0 for a marker; `code`, see `encode_pieces`; `trained`).

    Raises:
        SpikeError: a conversation is malformed and the policy is `strict`, or a file is damaged.
    """
    source = part.source
    check_kind(source)
    dropped = Dropped() if dropped is None else dropped
    faults = ErrorPolicy(source.shown, errors, dropped, max_record, source.name)
    read = partial(read_conversation, parse_markers=parse_markers, ignored_keys=ignored_keys)
    if source.kind in TABLES:
        blocks = from_table(part, read, faults, progress)
    elif source.kind == "json" and begins_array(source):
        parse = partial(parse_conversation, read=read, faults=faults)
        blocks = parsed_elements(source, faults, progress, parse)
    else:
        blocks = from_lines(part, read, faults, progress)
    for block in blocks:
        if block:
            yield record_batch(block)


def check_kind(source: Source) -> None:
    """Check that a file is of a kind that has records.

    Raises:
        SpikeError: it is not.
    """
    if source.kind not in (*TABLES, "json", "jsonl", "jsonl.gz", "jsonl.zst"):
        raise SpikeError(
            f"{source.shown}: is not a file of conversations; name .jsonl, .json, .parquet or "
            ".arrow files"
        )


def from_lines(
    part: SourceRange, read: Reader, faults: ErrorPolicy, progress: Progress
) -> Iterator[list[tuple[int, Flat]]]:
    """Yield the conversations of JSON Lines, block by block, each after its offset.

    Args:
        part: the range.
        read: converts a decoded record to messages.
        faults: the policy for broken records.
        progress: called with the number of newly read bytes of the file on disk.
    """
    parse_record = partial(parse_conversation, read=read, faults=faults)

    def parse(block: bytes, place: Place) -> list[tuple[int, Flat]]:
        return list(each_line(block, parse_record, faults, place))

    for offset, block in parsed_blocks(part, faults, progress, parse):
        yield [(begin + offset, flat) for begin, flat in block]


def from_table(
    part: SourceRange, read: Reader, faults: ErrorPolicy, progress: Progress
) -> Iterator[list[tuple[int, Flat]]]:
    """Yield the conversations of a parquet or Arrow file, block by block, each after its row.

    Args:
        part: the range, in row groups of a parquet file.
        read: converts a decoded record to messages.
        faults: the policy for broken records.
        progress: called with the number of newly read bytes of the file.
    """
    for first, records in table_records(part, faults, progress):
        block = []
        for row, record in enumerate(records, first):
            try:
                block.append((row, flat_record(record, read, faults)))
            except BadRecordError as fault:
                faults.drop(fault, partial("row {}".format, row))
        yield block


def parse_conversation(line: bytes, read: Reader, faults: ErrorPolicy) -> Flat:
    """Parse the conversation of one record in JSON.

    Raises:
        BadRecordError: the line has none, or one without a message of an assistant.
    """
    try:
        record = json.loads(faults.decode(line))
    except (ValueError, RecursionError) as error:
        raise BadRecordError(BROKEN_JSON, parse_fault(error)) from None
    return flat_record(record, read, faults, nulls=b"null" in line)


def flat_record(record: Any, read: Reader, faults: ErrorPolicy, nulls: bool = True) -> Flat:
    """Return the conversation of one decoded record.

    Args:
        record: the decoded record.
        read: converts it to messages.
        faults: the policy for broken text.
        nulls: whether there may be a null in the record.

    Raises:
        BadRecordError: there is none, or one without a message of an assistant.
    """
    if not isinstance(record, dict):
        raise BadRecordError(NOT_AN_OBJECT)
    try:
        messages = read(record, nulls=nulls)
        flat = flatten(messages, faults)
    except NotForTrainingError as error:
        raise BadRecordError(NOT_FOR_TRAINING, str(error)) from None
    except SpikeError as error:
        raise BadRecordError(MALFORMED, str(error)) from None
    if 1 not in flat.trained:
        has_reply = any(message.role == ASSISTANT for message in messages)
        raise BadRecordError(NOT_FOR_TRAINING if has_reply else NO_REPLY)
    return flat


def flatten(messages: Sequence[Message], faults: ErrorPolicy) -> Flat:
    """Flatten the pieces of a conversation into arrays."""
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


def record_batch(block: Sequence[tuple[int, Flat]]) -> pa.RecordBatch:
    """Return conversations, each after its offset or row, as a batch of `SCHEMA`."""
    flats = [flat for _, flat in block]
    sizes = np.fromiter(chain.from_iterable(flat.sizes for flat in flats), np.int64)
    codes, trained = (
        np.frombuffer(b"".join(parts), np.uint8)
        for parts in ([flat.codes for flat in flats], [flat.trained for flat in flats])
    )
    columns = [pa.array(column) for column in (sizes, codes, trained)]
    ends = np.cumsum([0, *(len(flat.codes) for flat in flats)])
    return pa.record_batch(
        [
            as_array([flat.text for flat in flats]),
            pa.array([row for row, _ in block], pa.int64()),
            pa.LargeListArray.from_arrays(
                pa.array(ends), pa.StructArray.from_arrays(columns, fields=list(PIECE))
            ),
        ],
        schema=SCHEMA,
    )
