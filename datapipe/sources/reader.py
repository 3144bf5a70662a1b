"""Reader of all kinds of sources: Arrow record batches of documents, in bounded memory."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from .arrow_tables import read_arrow
from .bad_records import MAX_RECORD, Dropped, ErrorPolicy, Errors, RecordRejectedError, check_errors
from .csv_table import read_csv
from .decompression import DamagedStreamError, open_decompressed
from .files import Source
from .json_array import begins_array, read_array
from .jsonl import Records, read_jsonl
from .lines import COMPRESSIONS, PIECE_BYTES, check_compression
from .parquet import read_parquet, text_offsets
from .plain_text import read_text
from .source_range import SourceRange
from .text_splitting import NONE

SCHEMA = pa.schema(
    [
        pa.field("text", pa.large_binary(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
    ]
)
# Bytes of content that are read for a checksum once there is an error.
MAX_CHECKED = 1 << 30


def ignore(_report: int | str) -> None:
    """Ignore a progress report or a remark."""


def read_range(
    part: SourceRange,
    text_field: str = "text",
    errors: Errors = "strict",
    dropped: Dropped | None = None,
    progress: Callable[[int], None] = ignore,
    split_text: str = NONE,
    max_record: int = MAX_RECORD,
) -> Iterator[pa.RecordBatch]:
    """Yield the documents of a range of a source, about 4 MiB of text a batch.

    Args:
        part: the range.
        text_field: the member or column that holds the text.
        errors: `strict`, `replace` or `skip`, see `ErrorPolicy`.
        dropped: counts of the records left out, added to; empty ones are always left out.
        progress: called with the number of newly read bytes of the file on disk.
        split_text: how plain text files become documents, see `text_pieces`; `none`: each is one.
        max_record: bytes of the largest record, see `ErrorPolicy`; larger ones are broken.

    Yields:
        Batches with the columns `text` (large_binary, valid UTF-8) and `row` (int64: offset of the
        line or piece in the decompressed content, row of a parquet or Arrow file).

    Raises:
        SpikeError: a record is broken and the policy is `strict`; a parquet file is damaged or has
            no such column.
    """
    check_errors(errors)
    source, dropped = part.source, Dropped() if dropped is None else dropped
    faults = ErrorPolicy(source.shown, errors, dropped, max_record, source.name)
    try:
        for texts, rows in _records(part, text_field, split_text, faults, progress):
            sizes = np.diff(text_offsets(texts))
            batch = pa.record_batch([texts, pa.array(rows)], schema=SCHEMA)
            if not sizes.all():
                faults.drop_empty(int(np.count_nonzero(sizes == 0)))
                batch = batch.filter(pa.array(sizes > 0))
            yield batch
            # A text may be very large: release it before the next one is read, or there would be
            # one more in memory.
            del texts, batch
    except RecordRejectedError as error:
        raise damage_of(source, faults) or error from None


def damage_of(source: Source, faults: ErrorPolicy) -> RecordRejectedError | None:
    """Return the error of a compressed file's damage, if it has any and the policy is `strict`.

    Wrong bytes are often decompressed, to broken records, before the checksum after them shows it.
    Where the checksum is more than `MAX_CHECKED` bytes away, the record alone is reported.
    """
    codec = COMPRESSIONS.get(source.kind)
    try:
        if codec:
            with open_decompressed(source.path, codec, str(source.shown)) as stream:
                left = MAX_CHECKED
                while left > 0 and (piece := stream.read(PIECE_BYTES)):
                    left -= len(piece)
    except DamagedStreamError as damage:
        try:
            faults.drop_rest(damage)
        except RecordRejectedError as error:
            return error
    return None


def read_texts(
    sources: Sequence[Source],
    text_field: str = "text",
    errors: Errors = "strict",
    dropped: Dropped | None = None,
    report: Callable[[int], None] = ignore,
    split_text: str = NONE,
    max_record: int = MAX_RECORD,
) -> Iterator[pa.RecordBatch]:
    """Yield the documents of all sources in order.

    Args:
        sources: the files.
        text_field: as for `read_range`.
        errors: as for `read_range`.
        dropped: as for `read_range`.
        report: called with the bytes of the files read so far.
        split_text: as for `read_range`.
        max_record: as for `read_range`.

    Raises:
        SpikeError: as `read_range`.
    """
    done = 0

    def progress(amount: int) -> None:
        nonlocal done
        done += amount
        report(done)

    options = text_field, errors, dropped, progress, split_text, max_record
    for source in sources:
        check_compression(source)
    for source in sources:
        yield from read_range(SourceRange(source), *options)


def first_fault(sources: Sequence[Source], text_field: str = "text") -> str | None:
    """Return the fault of the first broken record of sources; None without one."""
    try:
        for _ in read_texts(sources, text_field):
            pass
    except RecordRejectedError as error:
        return error.fault
    return None


def _records(
    part: SourceRange,
    text_field: str,
    split_text: str,
    faults: ErrorPolicy,
    progress: Callable[[int], None],
) -> Iterator[Records]:
    source = part.source
    if source.kind.startswith("txt"):
        return read_text(source, split_text, faults, progress)
    if source.kind == "json" and begins_array(source):
        return read_array(source, text_field, faults, progress)
    if source.kind == "csv":
        return read_csv(source, text_field, faults, progress)
    if source.kind == "arrow":
        return read_arrow(source, text_field, faults, progress)
    if source.kind == "parquet":
        return read_parquet(part, text_field, faults, progress)
    return read_jsonl(part, text_field, faults, progress)
