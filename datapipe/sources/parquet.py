"""Parquet reader: the documents of a file or of a range of its row groups."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from shlex import quote
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import regular_name

from .bad_records import NULL_TEXT, BadRecordError, ErrorPolicy
from .files import Source
from .jsonl import Records, all_utf8
from .source_range import SourceRange

BATCH_BYTES = 4 << 20
# Rows of large row groups are decoded few at a time, for their sizes are unknown before. A call
# costs 10 µs, as decoding some 8 kB of text does.
SMALL_GROUP_BYTES = 32 << 20
CALL_BYTES = 32 << 10
MAX_ROWS, MAX_SMALL_ROWS = 64, 1 << 16
DICTIONARY_ENCODINGS = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}
STREAM_BYTES = 1 << 20
RESTORE = "download it again or leave it out"
# A null column has no text; it is the type of empty parts of a data set.
TEXT_TYPES = (
    pa.null(),
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
)


def read_parquet(
    part: SourceRange,
    text_field: str,
    faults: ErrorPolicy,
    progress: Callable[[int], None],
) -> Iterator[Records]:
    """Yield the documents of a range of row groups and the row of each.

    Args:
        part: the range, in row groups.
        text_field: the column of text.
        faults: the policy for broken records.
        progress: called with the newly read bytes of the file, as if all rows were of one size.
    """
    source = part.source
    with open_parquet(source) as file:
        check_column(source, file.schema_arrow, text_field)
        groups = range(part.start, file.num_row_groups if part.stop < 0 else part.stop)
        row = sum(file.metadata.row_group(group).num_rows for group in range(part.start))
        for group in groups:
            for column in joined(text_columns(source, file, group, text_field)):
                texts, rows = usable_texts(column, row, faults)
                row += len(column)
                progress(source.bytes * len(column) // file.metadata.num_rows)
                yield texts, rows
                del column, texts


def text_columns(
    source: Source, file: pq.ParquetFile, group: int, text_field: str
) -> Iterator[pa.Array]:
    """Yield the texts of a row group, few rows at a time, each [n], never as a dictionary.

    Args:
        source: the file.
        file: the same, open.
        group: the row group.
        text_field: the column of text.
    """
    batches = file.iter_batches(
        batch_size=rows_a_call(source, file, group, text_field),
        row_groups=[group],
        columns=[text_field],
        use_threads=False,
    )
    for batch in batches:
        column = batch.column(text_field)
        if pa.types.is_dictionary(column.type):
            yield from decoded(column)
        else:
            yield column
        del batch, column


def decoded(column: pa.DictionaryArray) -> Iterator[pa.LargeBinaryArray]:
    """Decode a dictionary column [n] in slices of at most `BATCH_BYTES` of text, or one row."""
    texts = column.dictionary.cast(pa.large_binary())
    lengths = np.append(np.diff(text_offsets(texts)), 0)
    ends = np.cumsum(lengths[column.indices.fill_null(len(texts)).to_numpy()])
    start = done = 0
    while start < len(column):
        stop = max(start + 1, int(np.searchsorted(ends, done + BATCH_BYTES, "right")))
        yield texts.take(column.indices.slice(start, stop - start))
        start, done = stop, int(ends[stop - 1])


def joined(columns: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """Concatenate arrays [n] of texts to about `BATCH_BYTES`; a larger one is not copied."""
    pending: list[pa.Array] = []
    pending_bytes = 0
    for column in columns:
        size = column.get_total_buffer_size()
        if pending and pending_bytes + size > BATCH_BYTES:
            yield pending[0] if len(pending) == 1 else pa.concat_arrays(pending)
            pending, pending_bytes = [], 0
        pending.append(column)
        del column
        pending_bytes += size
    if pending:
        yield pending[0] if len(pending) == 1 else pa.concat_arrays(pending)


@contextmanager
def open_parquet(source: Source, **options: Any) -> Iterator[pq.ParquetFile]:
    """Open a parquet file.

    Raises:
        SpikeError: it is damaged or cannot be read (see `unreadable`), now or in the block.
    """
    try:
        # Without a buffer, or with `pre_buffer`, the default, which disables the buffer,
        # Arrow reads the whole column of a row group before its first row. Checksums of pages,
        # where a writer gave them, are usually not compared.
        reading = {"buffer_size": STREAM_BYTES, "pre_buffer": False}
        checks = {"page_checksum_verification": True}
        with (
            regular_name(source.path) as name,
            pq.ParquetFile(name, **reading, **checks, **options) as file,
        ):
            yield file
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(source.shown, error) from None
        if "not yet implemented" in str(error).lower():
            fault = f"pyarrow {pa.__version__} cannot read it: {error}"
            raise SpikeError(f"{source.shown}: {fault}; write it with other encodings") from error
        fault = f"is a damaged parquet file: {error}"
        raise SpikeError(f"{source.shown}: {fault}; {RESTORE}") from error


def choice(columns: Sequence[str]) -> str:
    """Return the advice to name a column; which one, if there is only one.

    >>> choice(["body"]), choice(["id", "body"])
    ('pass --text-field body', 'name one of those with --text-field')
    """
    only = columns[0] if len(columns) == 1 else ""
    return f"pass --text-field {quote(only)}" if only else "name one of those with --text-field"


def check_column(source: Source, schema: pa.Schema, text_field: str) -> None:
    """Check that a file has exactly one column of that name, and that it is text.

    Raises:
        SpikeError: it has not.
    """
    if schema.names.count(text_field) > 1:
        raise SpikeError(f"{source.shown}: has two columns {text_field!r}; rename one")
    if text_field not in schema.names:
        known = ", ".join(map(repr, schema.names[:8]))
        raise SpikeError(
            f"{source.shown}: has no column {text_field!r} (but {known}); {choice(schema.names)}"
        )
    if not holds_text(schema.field(text_field)):
        texts = [field.name for field in schema if holds_text(field)]
        known = ", ".join(map(repr, texts[:8]))
        fix = f"{choice(texts)} (text is in: {known})" if texts else "write its values as text"
        kind = schema.field(text_field).type
        raise SpikeError(f"{source.shown}: column {text_field!r} has {kind}, not text; {fix}")


def holds_text(field: pa.Field) -> bool:
    """Return whether a column is of a type that is read as text."""
    kind = field.type
    return (kind.value_type if pa.types.is_dictionary(kind) else kind) in TEXT_TYPES


def rows_a_call(source: Source, file: pq.ParquetFile, group: int, text_field: str) -> int:
    """Return the number of rows to decode at a time, so that memory stays bounded.

    Text without encoding needs no more than the row group's bytes, and in large row groups
    `CALL_BYTES` a call on average. A dictionary's texts may each occur in any number of rows, so
    its longest counts for every row. Prefix encoding (DELTA_BYTE_ARRAY) has no sizes: one row at a
    time. A column whose Arrow type is a dictionary costs a copy of the dictionary a call.

    Args:
        source: the file.
        file: the same, open.
        group: the row group.
        text_field: the column of text.
    """
    metadata = file.metadata.row_group(group)
    columns = map(metadata.column, range(metadata.num_columns))
    column = next(column for column in columns if column.path_in_schema == text_field)
    if "DELTA_BYTE_ARRAY" in column.encodings:
        return 1
    mean = column.total_uncompressed_size / max(metadata.num_rows, 1)
    kind = file.schema_arrow.field(text_field).type
    if pa.types.is_dictionary(kind):
        return max(1, min(int(BATCH_BYTES / max(mean, 1)), MAX_SMALL_ROWS))
    if kind == pa.null():
        return MAX_ROWS
    small = column.total_uncompressed_size <= SMALL_GROUP_BYTES
    most_rows, call_bytes = (MAX_SMALL_ROWS, BATCH_BYTES) if small else (MAX_ROWS, CALL_BYTES)
    rows = min(most_rows, int(call_bytes / max(mean, 1)))
    if column.has_dictionary_page or DICTIONARY_ENCODINGS & {*column.encodings}:
        rows = min(rows, BATCH_BYTES // longest_of_dictionary(source, group, text_field))
    return max(1, rows)


def longest_of_dictionary(source: Source, group: int, text_field: str) -> int:
    """Return the bytes of the longest text in the dictionary of a row group, at least 1."""
    with open_parquet(source, read_dictionary=[text_field]) as file:
        batches = file.iter_batches(1, row_groups=[group], columns=[text_field], use_threads=False)
        for batch in batches:
            texts = batch.column(text_field).dictionary.cast(pa.large_binary())
            return int(np.diff(text_offsets(texts)).max(initial=1))
    return 1


def text_offsets(texts: pa.LargeBinaryArray) -> npt.NDArray[np.int64]:
    """Return the offsets [n + 1] of texts [n] in their data buffer, as a view."""
    if not len(texts):
        return np.zeros(1, np.int64)
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)
    return offsets[texts.offset : texts.offset + len(texts) + 1]


def usable_texts(column: pa.Array, first_row: int, faults: ErrorPolicy) -> Records:
    """Return the usable texts of a column [n], not a dictionary, and their rows [texts].

    They are not null, valid UTF-8, and not larger than `max_record`.
    """
    texts = column.cast(pa.large_binary())
    rows = np.arange(first_row, first_row + len(texts), dtype=np.int64)
    largest = np.diff(text_offsets(texts)).max(initial=0)
    if not texts.null_count and largest <= faults.max_record and all_utf8(texts):
        return texts, rows
    return checked_one_by_one(texts, rows, faults)


def checked_one_by_one(
    texts: pa.LargeBinaryArray,
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    faults: ErrorPolicy,
) -> Records:
    """Return the texts [n] that the policy for broken records keeps, and their rows."""
    kept: list[bytes] = []
    kept_rows: list[int] = []
    for text, row in zip(texts, rows.tolist(), strict=True):
        try:
            if not text.is_valid:
                raise BadRecordError(NULL_TEXT)
            faults.check_size(len(text.as_buffer()))
            kept.append(faults.decode(bytes(text.as_buffer())).encode())
            kept_rows.append(row)
        except BadRecordError as fault:
            faults.drop(fault, partial("row {}".format, row))
    return pa.array(kept, pa.large_binary()), np.array(kept_rows, dtype=np.int64)
