"""Reads the documents of a CSV or TSV file from a column of text."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import csv

from spiketok.errors import SpikeError

from .bad_records import BROKEN_CSV, BadRecordError, Faults
from .files import Source
from .jsonl import BYTE_ORDER_MARK, Records
from .parquet import choice, usable_texts
from .standard_input import CODECS

# The largest row that can be read is of about this size.
BLOCK_BYTES = 8 << 20
PIECE_BYTES = 1 << 20


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
    # Arrow cannot hand over a row of other columns that is no UTF-8: its bytes are read as latin-1
    # then, which fits all of them, and the column is turned back.
    encoding, mark = encoding_of(source)
    reading = csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, encoding=encoding)
    name = source.name.lower()
    is_tsv = name.removesuffix(".gz").removesuffix(".zst").endswith(".tsv")
    parsing = csv.ParseOptions(
        delimiter="\t" if is_tsv else ",", newlines_in_values=True, invalid_row_handler=on_broken
    )
    column = text_field.encode("utf-8", "surrogateescape").decode(encoding, "surrogateescape")
    # A reader of one column takes the first of that name, and says nothing of another.
    heading = csv.ParseOptions(
        delimiter=parsing.delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
    )
    with pa.OSFile(str(source.path)) as again:
        names = csv.open_csv(content_of(source, again, mark), reading, heading).schema.names
    if names.count(column) > 1:
        raise SpikeError(f"{source.shown}: two columns {text_field!r}; rename one of them")
    if column not in names:
        names = [name.encode(encoding).decode("utf-8", "replace") for name in names]
        found = ", ".join(map(repr, names[:8]))
        raise SpikeError(
            f"{source.shown}: no column {text_field!r} (there are: {found}); {choice(names)}, or "
            f"read it as plain text with --ext {'tsv' if is_tsv else 'csv'}"
        )
    converting = csv.ConvertOptions(
        include_columns=[column],
        column_types={column: pa.large_binary()},
        strings_can_be_null=False,
        check_utf8=False,
    )
    for batch in csv.open_csv(content_of(source, file, mark), reading, parsing, converting):
        yield batch if encoding == "utf-8" else from_latin_1(batch)


def content_of(source: Source, file: pa.NativeFile, start: int = 0) -> pa.NativeFile:
    """Return the decompressed content of an open file from a byte on."""
    name = source.name.lower()
    codec = CODECS.get(name[name.rfind(".") :])
    stream = pa.CompressedInputStream(file, codec) if codec else file
    stream.read(start)
    return stream


def encoding_of(source: Source) -> tuple[str, int]:
    """Return how a file is to be read, and how many bytes of it come before its text."""
    decoder = getincrementaldecoder("utf-8")()
    with pa.OSFile(str(source.path)) as file:
        stream = content_of(source, file)
        piece = head = stream.read(PIECE_BYTES)
        try:
            while piece:
                decoder.decode(piece)
                piece = stream.read(PIECE_BYTES)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1", len(BYTE_ORDER_MARK) * head.startswith(BYTE_ORDER_MARK)
    return "utf-8", 0


def from_latin_1(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch of one column with the bytes that were read as latin-1."""
    texts = [value.as_py().decode().encode("latin-1") for value in batch.column(0)]
    return pa.record_batch([pa.array(texts, pa.large_binary())], batch.schema.names)
