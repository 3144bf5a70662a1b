"""Reads the documents of a parquet file, whole or a range of its row groups."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spiketok.errors import SpikeError, unreadable

from .faults import NULL_TEXT, BadRecordError, Faults
from .jsonl import Records
from .sources import Source

BATCH_BYTES = 4 << 20
TEXT_TYPES = (
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
)


def read_parquet(
    source: Source,
    start: int,
    stop: int,
    text_field: str,
    faults: Faults,
    progress: Callable[[int], None],
) -> Iterator[Records]:
    """Yield the documents of row groups `[start, stop)` of a source and the row of each.

    `progress` hears how many bytes of the file are newly done, as if all rows were of one size.
    """
    with open_parquet(source) as file:
        check_column(source, file.schema_arrow, text_field)
        groups = range(start, file.num_row_groups if stop < 0 else stop)
        sizes = [file.metadata.row_group(group).num_rows for group in range(groups.stop)]
        row = sum(sizes[:start])
        batches = file.iter_batches(
            batch_size=rows_a_batch(file, groups),
            row_groups=list(groups),
            columns=[text_field],
            use_threads=False,
        )
        for batch in batches:
            texts, rows = usable_texts(batch.column(0), row, faults)
            row += len(batch)
            progress(source.bytes * len(batch) // file.metadata.num_rows)
            yield texts, rows


@contextmanager
def open_parquet(source: Source) -> Iterator[pq.ParquetFile]:
    """Open a parquet file; whatever is wrong with its bytes is told as one SpikeError."""
    try:
        with pq.ParquetFile(source.path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(source.path, error) from None
        raise SpikeError(f"{source.path}: damaged parquet file: {error}") from error


def check_column(source: Source, schema: pa.Schema, text_field: str) -> None:
    """Refuse a file without a column of text by that name."""
    if schema.names.count(text_field) != 1:
        found = ", ".join(schema.names[:8])
        raise SpikeError(
            f"{source.path}: no column {text_field!r} (there are: {found}); name one of those"
        )
    kind = schema.field(text_field).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if kind not in TEXT_TYPES:
        raise SpikeError(f"{source.path}: column {text_field!r} holds {kind}, not text")


def rows_a_batch(file: pq.ParquetFile, groups: range) -> int:
    """Return how many rows hold about `BATCH_BYTES` of text in the largest row group."""
    rows = 65536
    for group in groups:
        metadata = file.metadata.row_group(group)
        mean = metadata.total_byte_size / max(metadata.num_rows, 1)
        rows = min(rows, int(BATCH_BYTES / max(mean, 1)))
    return max(rows, 1)


def usable_texts(column: pa.Array, first_row: int, faults: Faults) -> Records:
    """Return the texts of a column that are there and UTF-8, and their rows."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    texts = column.cast(pa.large_binary())
    rows = np.arange(first_row, first_row + len(texts), dtype=np.int64)
    if not texts.null_count:
        try:
            texts.cast(pa.large_string())
        except pa.ArrowInvalid:
            pass
        else:
            return texts, rows
    return checked_one_by_one(texts, rows, faults)


def checked_one_by_one(
    texts: pa.LargeBinaryArray, rows: np.ndarray[tuple[int], np.dtype[np.int64]], faults: Faults
) -> Records:
    """Return the texts that survive the policy for broken records, and their rows."""
    kept: list[bytes] = []
    kept_rows: list[int] = []
    for text, row in zip(texts, rows.tolist(), strict=True):
        try:
            if not text.is_valid:
                raise BadRecordError(NULL_TEXT)
            kept.append(faults.decode(bytes(text.as_buffer())).encode())
            kept_rows.append(row)
        except BadRecordError as fault:
            faults.drop(fault, partial("row {}".format, row))
    return pa.array(kept, pa.large_binary()), np.array(kept_rows, dtype=np.int64)
