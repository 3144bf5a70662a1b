"""Shard schema: Arrow columns, documents as record batches, and opening a shard.

A file is checked before it is used. Arrow opens a file with wrong offsets without an error, and
reading it then goes out of bounds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from spiketok import Tokenizer
from spiketok.errors import SpikeError, unreadable
from spiketok.regular_files import regular_name

from .checked_file import AGAIN
from .encoded_documents import ID_BYTES, Documents

FORMAT = b"1"
LOSS_MASK = "loss_mask"
COLUMNS = ("tokens", "n_bytes", "id", "source", "row", LOSS_MASK)
MAX_UINT16_VOCABULARY = 1 << 16
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSchema:
    """Tokenizer metadata of shards."""

    fingerprint: str
    vocab_size: int
    separator: int

    @property
    def dtype(self) -> "np.dtype[np.uint16 | np.uint32]":
        """Type of the ids: uint16 up to 65,536 ids, else uint32."""
        small = self.vocab_size <= MAX_UINT16_VOCABULARY
        return np.dtype(np.uint16 if small else np.uint32)

    def schema(self, masked: bool = False) -> pa.Schema:
        """Return the schema of the shards, metadata included; `masked` with a loss mask."""
        fields = [
            ("tokens", pa.large_list(pa.field("item", pa.from_numpy_dtype(self.dtype), False))),
            ("n_bytes", pa.int64()),
            ("id", pa.binary(ID_BYTES)),
            ("source", pa.int32()),
            ("row", pa.int64()),
        ]
        if masked:
            fields.append((LOSS_MASK, pa.large_list(pa.field("item", pa.uint8(), False))))
        metadata = {
            "spike.format": FORMAT,
            "spike.tokenizer": self.fingerprint,
            "spike.vocab_size": str(self.vocab_size),
            "spike.separator": str(self.separator),
        }
        return pa.schema([pa.field(name, kind, False) for name, kind in fields], metadata)


def token_schema_of(tokenizer: Tokenizer) -> TokenSchema:
    """Return the tokenizer metadata of shards."""
    return TokenSchema(
        fingerprint=tokenizer.fingerprint,
        vocab_size=tokenizer.vocab_size,
        separator=tokenizer.eos_id,
    )


def record_batch(documents: Documents, schema: pa.Schema) -> pa.RecordBatch:
    """Return documents as one record batch, without copying their tokens."""
    offsets = np.concatenate(([0], documents.ends))
    tokens = pa.LargeListArray.from_arrays(
        pa.array(offsets), pa.array(documents.tokens), type=schema.field("tokens").type
    )
    ids = pa.Array.from_buffers(
        pa.binary(ID_BYTES),
        len(documents),
        [None, pa.py_buffer(np.ascontiguousarray(documents.ids))],
    )
    columns = [tokens, documents.n_bytes, ids, documents.source, documents.row]
    if documents.loss_mask is not None:
        mask = pa.array(documents.loss_mask)
        columns.append(
            pa.LargeListArray.from_arrays(tokens.offsets, mask, type=schema.field(LOSS_MASK).type)
        )
    return pa.record_batch(
        [column if isinstance(column, pa.Array) else pa.array(column) for column in columns],
        schema=schema,
    )


def open_shard(path: Path, tokens: TokenSchema) -> pa.RecordBatchFileReader:
    """Open a shard memory-mapped and check its schema.

    Raises:
        SpikeError: it is not a shard, or one of another tokenizer.
    """
    try:
        with regular_name(path) as name:
            reader = pa.ipc.open_file(pa.memory_map(name))
        schema = reader.schema
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise unreadable(path, error) from None
        raise SpikeError(f"{path}: is not an Arrow file ({error}){AGAIN}") from error
    check_schema(schema, path, tokens)
    return reader


def check_schema(schema: pa.Schema, path: Path, tokens: TokenSchema) -> None:
    """Check that a schema is that of a shard of this tokenizer.

    Raises:
        SpikeError: the metadata or a column differs.
    """
    expected = tokens.schema(masked=LOSS_MASK in schema.names)
    metadata = schema.metadata or {}
    for key, value in expected.metadata.items():
        if metadata.get(key) != value:
            actual = metadata.get(key, b"missing").decode("utf-8", "replace")
            raise SpikeError(
                f"{path}: {key.decode()} is {actual} instead of {value.decode()}, as of another "
                f"tokenizer or format{AGAIN}"
            )
    for field in expected:
        if schema.names.count(field.name) != 1 or not same_type(schema.field(field.name), field):
            raise SpikeError(f"{path}: column {field.name!r} is not {field.type}{AGAIN}")


def same_type(actual: pa.Field, expected: pa.Field) -> bool:
    """Return whether two column types are equal, regardless of nulls and inner names."""
    if pa.types.is_large_list(expected.type) and pa.types.is_large_list(actual.type):
        return bool(actual.type.value_type == expected.type.value_type)
    return bool(actual.type == expected.type)


def documents_of(batch: pa.RecordBatch, place: str) -> Documents:
    """Return the documents of a record batch as views of it, offsets checked.

    Raises:
        SpikeError: the batch, named by `place`, is damaged or has nulls.
    """
    try:
        batch.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise SpikeError(f"{place} is damaged: {error}{AGAIN}") from error
    columns = {name: batch.column(name) for name in COLUMNS if name in batch.schema.names}
    values = columns["tokens"].values
    if values.null_count or any(column.null_count for column in columns.values()):
        raise SpikeError(f"{place} has nulls{AGAIN}")
    offsets = columns["tokens"].offsets.to_numpy()
    if offsets[0] != 0 or offsets[-1] != len(values) or (np.diff(offsets) < 1).any():
        raise SpikeError(f"{place}: its documents do not fill its tokens{AGAIN}")
    mask = columns.get(LOSS_MASK)
    if mask is not None and (
        mask.values.null_count or not np.array_equal(mask.offsets.to_numpy(), offsets)
    ):
        raise SpikeError(f"{place}: its {LOSS_MASK} does not fit its tokens{AGAIN}")
    ids = np.frombuffer(columns["id"].buffers()[1], dtype=np.uint8, count=len(batch) * ID_BYTES)
    return Documents(
        tokens=values.to_numpy(),
        ends=offsets[1:],
        n_bytes=columns["n_bytes"].to_numpy(),
        ids=ids.reshape(-1, ID_BYTES),
        source=columns["source"].to_numpy(),
        row=columns["row"].to_numpy(),
        loss_mask=None if mask is None else mask.values.to_numpy(),
    )


def check_tokens(documents: Documents, tokens: TokenSchema, place: str) -> None:
    """Check the ids, the separator at the end of each document, and the loss masks.

    Raises:
        SpikeError: an id is outside the vocabulary, a document has no separator, or a mask has
            values beside 0 and 1.
    """
    largest = int(documents.tokens.max(initial=0))
    if largest >= tokens.vocab_size:
        fault = f"id {largest} is outside the vocabulary of {tokens.vocab_size}"
        raise SpikeError(f"{place}: {fault}{AGAIN}")
    if (documents.tokens[documents.ends - 1] != tokens.separator).any():
        raise SpikeError(f"{place}: a document does not end with id {tokens.separator}{AGAIN}")
    if documents.loss_mask is not None and documents.loss_mask.max(initial=0) > 1:
        raise SpikeError(f"{place}: the {LOSS_MASK} has values beside 0 and 1{AGAIN}")
