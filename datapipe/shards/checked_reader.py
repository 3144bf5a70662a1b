"""Checked shard reader: the positions of the tokens, or one document after the other.

Arrow gets no memory map of the file, with which a truncated file would end the process. It reads a
copy of the metadata, made after the comparison with the checksums.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spiketok.errors import SpikeError

from .checked_file import AGAIN, SummedFile, range_count
from .encoded_documents import ID_BYTES, Documents
from .files import ShardFile
from .schema import LOSS_MASK, TokenSchema, check_schema, check_tokens, documents_of

MAGIC_BYTES = 8
# The continuation marker and the length of the metadata, which begin each message.
PREFIX = struct.Struct("<II")
MARKER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRun:
    """Tokens of one record batch, contiguous in a file.

    Attributes:
        tokens: number of tokens.
        tokens_at: byte of the file where they begin.
        mask_at: byte where their loss mask begins, one byte a token; 0 without one.
    """

    tokens: int
    tokens_at: int
    mask_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMetadata:
    """Record batch whose buffers have offsets but no content.

    Attributes:
        path: of the shard.
        start: byte of the file where its message begins.
        stop: byte after its message.
        batch: lengths, types and buffers.
        base: the memory address of byte 0 of the file.
    """

    path: Path
    start: int
    stop: int
    batch: pa.RecordBatch
    base: int

    def place(self, name: str, values: pa.Array, width: int) -> int:
        """Return the file offset where values [n] of fixed width begin.

        Args:
            name: of their column, for errors.
            values: a column of the batch, or the values of a column of lists.
            width: bytes of a value.

        Raises:
            SpikeError: they are compressed, have nulls, or are not where the batch is.
        """
        if not len(values):
            return self.start
        buffer = values.buffers()[1]
        at = buffer.address - self.base if buffer is not None else -1
        if values.null_count or not self.start <= at <= self.stop - len(values) * width:
            raise malformed(self.path, f"its {name} are compressed or outside their record batch")
        return int(at)


def malformed(path: Path, fault: str) -> SpikeError:
    """Return the error of a file whose checksums are right but whose content is not a shard's."""
    return SpikeError(f"{path}: {fault}{AGAIN}")


def batch_metadata(file: SummedFile, made_by: TokenSchema) -> Iterator[BatchMetadata]:
    """Yield the record batches of a shard; only ranges with metadata are read.

    Raises:
        SpikeError: the shard is damaged or of another tokenizer.
    """
    if file.size < MAGIC_BYTES + PREFIX.size:
        raise malformed(file.path, "is not an Arrow file")
    # As large as the file, but pages that nobody writes to take no memory.
    image = mmap.mmap(-1, file.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    whole, buffer = memoryview(image), pa.py_buffer(image)
    source, start = pa.BufferReader(buffer), MAGIC_BYTES
    schema, batch = None, None
    while True:
        if start + PREFIX.size > file.size:
            raise malformed(file.path, "ends without Arrow's end mark")
        file.read(start, whole[start : start + PREFIX.size])
        marker, length = PREFIX.unpack_from(image, start)
        if marker != MARKER or start + PREFIX.size + length > file.size - PREFIX.size:
            raise malformed(file.path, f"has no Arrow message at byte {start}")
        if not length:
            return
        body = start + PREFIX.size + length
        file.read(start, whole[start:body])
        try:
            source.seek(start)
            message = pa.ipc.read_message(source)
            stop = body + (message.body.size if message.body is not None else 0)
            if schema is None:
                schema = pa.ipc.read_schema(message)
                check_schema(schema, file.path, made_by)
            else:
                batch = pa.ipc.read_record_batch(message, schema)
        except (pa.ArrowException, OSError) as error:
            fault = "a message is compressed or malformed"
            raise malformed(file.path, f"{fault}: {error}") from error
        if batch is not None:
            yield BatchMetadata(
                path=file.path, start=start, stop=stop, batch=batch, base=buffer.address
            )
        start = stop


def open_runs(shard: ShardFile, unchecked: NDArray[np.uint8]) -> tuple[SummedFile, list[TokenRun]]:
    """Open a shard and return its token runs.

    Args:
        shard: the shard.
        unchecked: [range_count(size)], as in `SummedFile`.

    Raises:
        SpikeError: it is damaged, or contradicts the manifest.
    """
    file = SummedFile(shard.path, shard.size, shard.sums, unchecked)
    runs = []
    for metadata in batch_metadata(file, shard.made_by):
        check_mask(metadata.batch, shard)
        values = metadata.batch.column("tokens").values
        tokens_at, mask_at = metadata.place("tokens", values, shard.made_by.dtype.itemsize), 0
        if shard.masked:
            mask = metadata.batch.column(LOSS_MASK).values
            if len(mask) != len(values):
                raise malformed(shard.path, f"its {LOSS_MASK} does not fit its tokens")
            mask_at = metadata.place(LOSS_MASK, mask, 1)
        if len(values):
            runs.append(TokenRun(tokens=len(values), tokens_at=tokens_at, mask_at=mask_at))
    if sum(run.tokens for run in runs) != shard.tokens:
        raise malformed(shard.path, f"does not have the {shard.tokens} tokens of the manifest")
    return file, runs


def shard_documents(shard: ShardFile) -> Iterator[Documents]:
    """Yield the documents of a shard, a record batch at a time, all bytes compared and checked.

    Raises:
        SpikeError: it is damaged, or contradicts the manifest.
    """
    file = open_summed(shard)
    for number, metadata in enumerate(batch_metadata(file, shard.made_by)):
        yield read_documents(file, metadata, number, shard)


def shard_document(shard: ShardFile, index: int) -> Documents:
    """Return one document of a shard; of the other record batches only metadata are read.

    Raises:
        SpikeError: the shard is damaged, or has no such document.
    """
    file, before = open_summed(shard), 0
    for number, metadata in enumerate(batch_metadata(file, shard.made_by)):
        if index < before + len(metadata.batch):
            documents = read_documents(file, metadata, number, shard)
            return documents.part(index - before, index - before + 1)
        before += len(metadata.batch)
    raise malformed(shard.path, f"has {before} documents, unlike in the manifest")


def ids_and_sizes(shard: ShardFile) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield the ids [n, 16] and the bytes [n] of the documents of each record batch.

    Raises:
        SpikeError: the bytes read are damaged, or contradict the manifest.
    """
    file = open_summed(shard)
    for metadata in batch_metadata(file, shard.made_by):
        ids = np.empty((len(metadata.batch), ID_BYTES), dtype=np.uint8)
        sizes = np.empty(len(metadata.batch), dtype=np.int64)
        for name, values in (("id", ids), ("n_bytes", sizes)):
            at = metadata.place(name, metadata.batch.column(name), values.strides[0])
            file.read(at, values.reshape(-1).view(np.uint8).data)
        yield ids, sizes


def open_summed(shard: ShardFile) -> SummedFile:
    """Open a shard, with no range compared yet."""
    unchecked = np.ones(range_count(shard.size), dtype=np.uint8)
    return SummedFile(shard.path, shard.size, shard.sums, unchecked)


def read_documents(
    file: SummedFile, metadata: BatchMetadata, number: int, shard: ShardFile
) -> Documents:
    """Read the documents of a record batch, every byte compared and checked.

    Args:
        file: the open shard.
        metadata: of the batch.
        number: of the batch in the shard, for errors.
        shard: the manifest's description of the shard.

    Raises:
        SpikeError: the batch is damaged or contradicts the manifest.
    """
    check_mask(metadata.batch, shard)
    place, data = f"{shard.path}: batch {number}", bytearray(metadata.stop - metadata.start)
    file.read(metadata.start, memoryview(data))
    try:
        message = pa.ipc.read_message(pa.py_buffer(data))
        batch = pa.ipc.read_record_batch(message, metadata.batch.schema)
    except (pa.ArrowException, OSError) as error:
        raise SpikeError(f"{place} is damaged: {error}{AGAIN}") from error
    documents = documents_of(batch, place)
    check_tokens(documents, shard.made_by, place)
    return documents


def check_mask(batch: pa.RecordBatch, shard: ShardFile) -> None:
    """Check that a record batch has a loss mask exactly where the manifest has one.

    Raises:
        SpikeError: only one of them has one.
    """
    if (LOSS_MASK in batch.schema.names) != shard.masked:
        fault = "has no loss mask" if shard.masked else "has a loss mask"
        raise malformed(shard.path, f"{fault}, unlike in the manifest")
