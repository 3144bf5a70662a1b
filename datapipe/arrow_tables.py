"""Reads Arrow IPC files and streams, what `datasets` saves, and rows of tables as objects."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import regular_name

from .faults import Faults
from .jsonl import Records
from .parquet import check_column, decoded, open_parquet, usable_texts
from .sources import Source

FILE_MAGIC = b"ARROW1"
# Rows made objects at a time: conversations of some 10 kB each are a few MB.
ROWS = 256


def read_arrow(
    source: Source, text_field: str, faults: Faults, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the documents of an Arrow file, batch by batch, and the row of each.

    `progress` hears how many bytes of the file are newly done.
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
    source: Source, start: int, stop: int, progress: Callable[[int], None]
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield rows of a parquet or Arrow file as objects: (number of the first row, rows).

    Args:
        source: a file of kind `parquet` or `arrow`.
        start: first row group of a parquet file; otherwise 0.
        stop: end of the range, -1 for the end of the file.
        progress: hears how many bytes of the file are newly done.
    """
    if source.kind == "arrow":
        row = 0
        with open_arrow(source) as (schema, batches):
            refuse_repeated_columns(source, schema)
            for batch, done in batches:
                for begin in range(0, len(batch), ROWS):
                    yield row + begin, batch.slice(begin, ROWS).to_pylist()
                row += len(batch)
                progress(done)
        return
    with open_parquet(source) as file:
        refuse_repeated_columns(source, file.schema_arrow)
        groups = range(start, file.num_row_groups if stop < 0 else stop)
        row = sum(file.metadata.row_group(group).num_rows for group in range(start))
        for batch in file.iter_batches(ROWS, row_groups=list(groups), use_threads=False):
            yield row, batch.to_pylist()
            row += len(batch)
            progress(source.bytes * len(batch) // max(1, file.metadata.num_rows))


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
        raise SpikeError(f"{source.shown}: damaged Arrow file: {error}") from error


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


def refuse_repeated_columns(source: Source, schema: pa.Schema) -> None:
    """Refuse a table in which two columns have one name: an object can have one of them only."""
    repeated = {name for name in schema.names if schema.names.count(name) > 1}
    if repeated:
        raise SpikeError(f"{source.shown}: two columns {min(repeated)!r}; rename one of them")
