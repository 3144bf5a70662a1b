"""Arrow IPC files and streams, as `datasets` saves them, and rows of tables as objects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import regular_name

from .bad_records import ErrorPolicy
from .files import Source
from .jsonl import Records
from .parquet import BATCH_BYTES, RESTORE, check_column, decoded, open_parquet, usable_texts
from .source_range import SourceRange

FILE_MAGIC = b"ARROW1"
# Rows converted to objects at a time: conversations of some 10 kB each are a few MB.
ROWS = 256


def read_arrow(
    source: Source, text_field: str, faults: ErrorPolicy, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the documents of an Arrow file, batch by batch, and the row of each.

    Args:
        source: the file.
        text_field: the column of text.
        faults: the policy for broken records.
        progress: called with the number of newly read bytes of the file.
    """
    row = 0
    with open_arrow(source) as (schema, batches):
        check_column(source, schema, text_field)
        for batch, done in batches:
            column = batch.column(schema.get_field_index(text_field))
            if pa.types.is_dictionary(column.type):
                parts = decoded(column)
            else:
                parts = (column.slice(start, ROWS) for start in range(0, len(column), ROWS))
            for part in parts:
                yield usable_texts(part, row, faults)
                row += len(part)
            progress(done)


def table_records(
    part: SourceRange, faults: ErrorPolicy, progress: Callable[[int], None]
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield rows of a parquet or Arrow file as objects: (number of the first row, rows).

    Args:
        part: row groups of a file of kind `parquet`, or a whole one of kind `arrow`.
        faults: counts rows of more than `max_record` bytes.
        progress: called with the number of newly read bytes of the file.
    """
    source, start = part.source, part.start
    if source.kind == "arrow":
        row = 0
        with open_arrow(source) as (schema, batches):
            check_columns_differ(source, schema)
            for batch, done in batches:
                for begin in range(0, len(batch), ROWS):
                    yield from objects(batch.slice(begin, ROWS), row + begin, faults)
                row += len(batch)
                progress(done)
        return
    with open_parquet(source) as file:
        check_columns_differ(source, file.schema_arrow)
        groups = [
            file.metadata.row_group(group)
            for group in range(file.num_row_groups if part.stop < 0 else part.stop)
        ]
        row = sum(group.num_rows for group in groups[:start])
        for number, group in enumerate(groups[start:], start):
            mean = group.total_byte_size / max(group.num_rows, 1)
            rows = max(1, min(ROWS, int(BATCH_BYTES / max(mean, 1))))
            for batch in file.iter_batches(rows, row_groups=[number], use_threads=False):
                yield from objects(batch, row, faults)
                row += len(batch)
                progress(source.bytes * len(batch) // max(1, file.metadata.num_rows))


def objects(
    batch: pa.RecordBatch, first_row: int, faults: ErrorPolicy
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield the rows of a batch as objects, large ones one by one: (number of the first, rows)."""
    if batch.nbytes <= min(BATCH_BYTES, faults.max_record):
        yield first_row, batch.to_pylist()
        return
    for number in range(len(batch)):
        row = batch.slice(number, 1)
        if row.nbytes > faults.max_record:
            faults.drop(faults.too_large(), partial("row {}".format, first_row + number))
        else:
            yield first_row + number, row.to_pylist()


@contextmanager
def open_arrow(
    source: Source,
) -> Iterator[tuple[pa.Schema, Iterator[tuple[pa.RecordBatch, int]]]]:
    """Open an Arrow IPC file or stream: its schema, and its batches with the bytes of each.

    Raises:
        SpikeError: the file cannot be read, or is damaged.
    """
    try:
        with regular_name(source.path) as name, pa.memory_map(name) as file:
            magic = file.read(len(FILE_MAGIC))
            file.seek(0)
            if magic == FILE_MAGIC:
                with pa.ipc.open_file(file) as reader:
                    yield reader.schema, _file_batches(reader, source.bytes)
            else:
                with pa.ipc.open_stream(file) as reader:
                    yield reader.schema, _stream_batches(reader, file)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(source.shown, error) from None
        raise SpikeError(f"{source.shown}: is a damaged Arrow file: {error}; {RESTORE}") from error


def _file_batches(
    reader: pa.ipc.RecordBatchFileReader, size: int
) -> Iterator[tuple[pa.RecordBatch, int]]:
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        batch.validate(full=True)
        yield batch, size // reader.num_record_batches


def _stream_batches(
    reader: pa.ipc.RecordBatchStreamReader, file: pa.MemoryMappedFile
) -> Iterator[tuple[pa.RecordBatch, int]]:
    reached = 0
    for batch in reader:
        batch.validate(full=True)
        yield batch, file.tell() - reached
        reached = file.tell()


def check_columns_differ(source: Source, schema: pa.Schema) -> None:
    """Check that no two columns have one name: an object can have one of them only.

    Raises:
        SpikeError: two have.
    """
    repeated = {name for name in schema.names if schema.names.count(name) > 1}
    if repeated:
        raise SpikeError(f"{source.shown}: has two columns {min(repeated)!r}; rename one")
