"""CSV and TSV reader: documents from a column of text."""

import io
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyarrow import csv

from spiketok.errors import SpikeError

from .bad_records import BROKEN_CSV, BadRecordError, ErrorPolicy
from .files import Source
from .jsonl import BYTE_ORDER_MARK, Records
from .parquet import choice, usable_texts
from .standard_input import CODECS

# The largest row that can be read is of about this size.
BLOCK_BYTES = 8 << 20
PIECE_BYTES = 1 << 20
# Columns of the row that is added at the end, more than tables have.
LAST_COLUMNS = 1 << 16
UNCLOSED = "a quote in it is not closed, and includes the rest of the file"


def read_csv(
    source: Source, text_field: str, faults: ErrorPolicy, progress: Callable[[int], None]
) -> Iterator[Records]:
    """Yield the texts of a column and the number of each among the rows that have all columns.

    The first row has the names of the columns; values may be quoted and have line ends. In a file
    whose name ends in `.tsv` columns are separated by tabs.

    Args:
        source: the file.
        text_field: the column of text.
        faults: the policy for broken records.
        progress: called with the number of newly read bytes of the file on disk.

    Raises:
        SpikeError: there is no such column, or the file is damaged.
    """
    broken: list[csv.InvalidRow] = []
    last_row, n_broken = last_row_of(source), 0

    def set_aside(row: csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    def drop_broken() -> bool:
        """Drop the broken rows, and return whether the last row was one of them."""
        nonlocal n_broken
        ended = any(row.text.endswith(last_row) for row in broken)
        for row in broken:
            if row.text != last_row:
                detail = f"{row.actual_columns} columns instead of {row.expected_columns}"
                detail = UNCLOSED if row.text.endswith(last_row) else detail
                faults.drop(BadRecordError(BROKEN_CSV, detail), f"row {row.number}".format)
        n_broken += len(broken)
        broken.clear()
        return ended

    number = reached = 0
    ended = False
    held: pa.Array | None = None  # the last texts: their end is known after the next ones
    with pa.OSFile(str(source.path)) as file:
        try:
            for batch in open_table(source, file, text_field, last_row, set_aside):
                if len(batch):
                    if held is not None:
                        yield usable_texts(held, number, faults)
                        number += len(held)
                    held = batch.column(0)
                ended = drop_broken() or ended
                progress(min(file.tell(), source.bytes) - reached)
                reached = min(file.tell(), source.bytes)
        except (pa.ArrowException, OSError) as error:
            large = f"has a row of more than {BLOCK_BYTES >> 20} MiB, or a quote that is not closed"
            fault = large if "straddl" in str(error) else str(error)
            if "Empty CSV" in fault and source.bytes:
                fault = "row 1: it is empty, or a quote in it is not closed"
            raise SpikeError(
                f"{source.shown}: {fault}; repair the file or convert it to parquet"
            ) from None
    ended = drop_broken() or ended
    rows = 0 if held is None else len(held)
    if not ended:
        place = f"row {1 + number + rows + n_broken}".format
        faults.drop(BadRecordError(BROKEN_CSV, UNCLOSED), place)
    if held is not None:
        yield usable_texts(held[: rows if ended else rows - 1], number, faults)


class EndedContent(io.RawIOBase):
    """Stream with a row of too many columns after its end, unless it is empty.

    Arrow silently closes a quote at the end of a file. Such a quote contains the added row;
    in any other file it is found, as a broken row.
    """

    def __init__(self, content: pa.NativeFile, last_row: str) -> None:
        super().__init__()
        self._content = content
        self._end = io.BytesIO(b"\n%b\n" % last_row.encode())
        self._empty = True

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, or all that are left: Arrow needs the whole first row."""
        data: bytes = self._content.read(size)
        while 0 < len(data) < size and (more := self._content.read(size - len(data))):
            data += more
        self._empty = self._empty and not data
        return data if self._empty else data + self._end.read(size - len(data))


def ended(source: Source, file: pa.NativeFile, start: int, last_row: str) -> pa.PythonFile:
    """Return the content of an open file from a byte on, with a row added at its end.

    Args:
        source: the file.
        file: the same, open.
        start: the first byte of the content, after decompression.
        last_row: the row to add.
    """
    return pa.PythonFile(EndedContent(content_of(source, file, start), last_row), mode="r")


def last_row_of(source: Source) -> str:
    """Return the row that is added at the end of a file: columns without text."""
    return delimiter_of(source) * min(LAST_COLUMNS, BLOCK_BYTES // 4)


def delimiter_of(source: Source) -> str:
    """Return the column separator of a file."""
    name = source.name.lower()
    return "\t" if name.removesuffix(".gz").removesuffix(".zst").endswith(".tsv") else ","


def open_table(
    source: Source,
    file: pa.NativeFile,
    text_field: str,
    last_row: str,
    on_broken: Callable[[csv.InvalidRow], str],
) -> Iterator[pa.RecordBatch]:
    """Yield the text column of an open file as `large_binary`, a batch for each block.

    Args:
        source: the file.
        file: the same, open.
        text_field: the column of text.
        last_row: the row to add at the end.
        on_broken: called for each row with another number of columns; see `csv.ParseOptions`.

    Raises:
        SpikeError: there is no such column, or there are two.
    """
    # Arrow cannot return a row of other columns that is not UTF-8: its bytes are read as latin-1
    # then, which fits all of them, and the column is converted back.
    encoding, mark = encoding_of(source)
    reading = csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, encoding=encoding)
    delimiter = delimiter_of(source)
    parsing = csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_broken
    )
    column = text_field.encode("utf-8", "surrogateescape").decode(encoding, "surrogateescape")
    # A reader of one column reads the first of that name, and ignores another.
    heading = csv.ParseOptions(
        delimiter=delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
    )
    with pa.OSFile(str(source.path)) as again:
        content = ended(source, again, mark, last_row)
        names = csv.open_csv(content, reading, heading).schema.names
    if names.count(column) > 1:
        raise SpikeError(f"{source.shown}: has two columns {text_field!r}; rename one")
    if column not in names:
        names = [name.encode(encoding).decode("utf-8", "replace") for name in names]
        known = ", ".join(map(repr, names[:8]))
        raise SpikeError(
            f"{source.shown}: has no column {text_field!r} (but {known}); {choice(names)}, or read "
            f"it as plain text with --ext {'csv' if delimiter == ',' else 'tsv'}"
        )
    converting = csv.ConvertOptions(
        include_columns=[column],
        column_types={column: pa.large_binary()},
        strings_can_be_null=False,
        check_utf8=False,
    )
    content = ended(source, file, mark, last_row)
    for batch in csv.open_csv(content, reading, parsing, converting):
        yield batch if encoding == "utf-8" else from_latin_1(batch)


def content_of(source: Source, file: pa.NativeFile, start: int = 0) -> pa.NativeFile:
    """Return the decompressed content of an open file from a byte on."""
    name = source.name.lower()
    codec = CODECS.get(name[name.rfind(".") :])
    stream = pa.CompressedInputStream(file, codec) if codec else file
    stream.read(start)
    return stream


def encoding_of(source: Source) -> tuple[str, int]:
    """Return the encoding of a file, and the number of bytes before its text."""
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
