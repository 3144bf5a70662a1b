"""Reads the documents of a CSV or TSV file from a column of text."""

from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import csv

from spiketok.errors import SpikeError

from .faults import BROKEN_CSV, BadRecordError, Faults
from .jsonl import Records
from .parquet import choice, usable_texts
from .sources import Source

# The largest row that can be read is of about this size.
BLOCK_BYTES = 8 << 20


def read_csv(
    source: Source, text_field: str, faults: Faults, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the texts of a column and the number of each among the rows that have all columns.

    The first row has the names of the columns; values may be quoted and have line ends. In a file
    whose name ends in `.tsv` columns are separated by tabs. `progress` is that of `read_jsonl`.

    Raises:
        SpikeError: there is no such column, or the file is damaged.
    """
    broken: list[csv.InvalidRow] = []

    def set_aside(row: csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    def drop_broken() -> None:
        for row in broken:
            detail = f"{row.actual_columns} columns instead of {row.expected_columns}"
            faults.drop(BadRecordError(BROKEN_CSV, detail), f"row {row.number}".format)
        broken.clear()

    number = reached = 0
    with pa.OSFile(str(source.path)) as file:
        try:
            for batch in open_table(source, file, text_field, set_aside):
                drop_broken()
                yield usable_texts(batch.column(0), number, faults)
                number += len(batch)
                progress(min(file.tell(), source.bytes) - reached)
                reached = min(file.tell(), source.bytes)
        except (pa.ArrowException, OSError) as error:
            large = f"a row of more than {BLOCK_BYTES >> 20} MiB"
            what = large if "straddl" in str(error) else str(error)
            raise SpikeError(
                f"{source.shown}: {what}; repair the file or make parquet of it"
            ) from None
    drop_broken()


def open_table(
    source: Source, file: pa.NativeFile, text_field: str, on_broken: Callable[[csv.InvalidRow], str]
) -> Iterator[pa.RecordBatch]:
    """Yield the text column of an open file as `large_binary`, a batch for each block."""
    name = source.name.lower()
    codec = {".gz": "gzip", ".zst": "zstd"}.get(name[name.rfind(".") :])
    stream = pa.CompressedInputStream(file, codec) if codec else file
    is_tsv = name.removesuffix(".gz").removesuffix(".zst").endswith(".tsv")
    parsing = csv.ParseOptions(
        delimiter="\t" if is_tsv else ",", newlines_in_values=True, invalid_row_handler=on_broken
    )
    try:
        yield from csv.open_csv(
            stream,
            csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parsing,
            csv.ConvertOptions(
                include_columns=[text_field],
                column_types={text_field: pa.large_binary()},
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except KeyError:
        names = columns(source, codec, parsing)
        found = ", ".join(map(repr, names[:8]))
        raise SpikeError(
            f"{source.shown}: no column {text_field!r} (there are: {found}); {choice(names)}, or "
            f"read it as plain text with --ext {'tsv' if is_tsv else 'csv'}"
        ) from None


def columns(source: Source, codec: str | None, parsing: csv.ParseOptions) -> list[str]:
    """Return the names in the first row of a file whose text column was not found."""
    with pa.OSFile(str(source.path)) as file:
        stream = pa.CompressedInputStream(file, codec) if codec else file
        reading = csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES)
        names: list[str] = csv.open_csv(stream, reading, parsing).schema.names
    return names
