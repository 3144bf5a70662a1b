"""Encoded documents as flat arrays, from the encoder to the shard writer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from spiketok import Tokenizer
from spiketok.holdout import document_id

from ..sources.large_record import LARGE_BYTES
from ..sources.parquet import text_offsets

Array = np.ndarray[Any, np.dtype[Any]]
ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Encoded documents, n of them.

    Attributes:
        tokens: uint16 or uint32 [tokens], documents concatenated, separators included.
        ends: int64 [n], where in `tokens` each document ends.
        n_bytes: int64 [n], bytes of text encoded.
        ids: uint8 [n, 16], the names of the documents.
        source: int32 [n], index into the plan's sources.
        row: int64 [n], where each begins in its source.
        loss_mask: uint8 [tokens], 1 where a token is trained on; None where all are.
    """

    tokens: Array
    ends: npt.NDArray[np.int64]
    n_bytes: npt.NDArray[np.int64]
    ids: npt.NDArray[np.uint8]
    source: npt.NDArray[np.int32]
    row: npt.NDArray[np.int64]
    loss_mask: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.ends)

    def part(self, start: int, stop: int) -> "Documents":
        """Return documents `[start, stop)`, sharing memory."""
        first = int(self.ends[start - 1]) if start else 0
        last = int(self.ends[stop - 1]) if stop else 0
        return Documents(
            tokens=self.tokens[first:last],
            ends=self.ends[start:stop] - first,
            n_bytes=self.n_bytes[start:stop],
            ids=self.ids[start:stop],
            source=self.source[start:stop],
            row=self.row[start:stop],
            loss_mask=None if self.loss_mask is None else self.loss_mask[first:last],
        )


def concatenate(parts: Sequence[Documents]) -> Documents:
    """Concatenate documents; at least one part is needed, and all or none have a loss mask."""
    if len(parts) == 1:
        return parts[0]
    masks = [part.loss_mask for part in parts if part.loss_mask is not None]
    first_tokens = np.cumsum([0] + [len(part.tokens) for part in parts[:-1]])
    return Documents(
        tokens=np.concatenate([part.tokens for part in parts]),
        ends=np.concatenate(
            [part.ends + first for part, first in zip(parts, first_tokens, strict=True)]
        ),
        n_bytes=np.concatenate([part.n_bytes for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        source=np.concatenate([part.source for part in parts]),
        row=np.concatenate([part.row for part in parts]),
        loss_mask=np.concatenate(masks) if masks else None,
    )


def cut_by_tokens(documents: Documents, room: int, size: int) -> Iterator[tuple[Documents, bool]]:
    """Split documents into parts of at least `size` tokens, each but the last.

    Args:
        documents: the documents to split.
        room: tokens of the first part.
        size: tokens of each part after it.

    Yields:
        Parts, and whether the part has all of its tokens; only the last may have fewer.

    >>> i = np.arange(1, 5)
    >>> documents = Documents(tokens=i, ends=i, n_bytes=i, ids=i, source=i, row=i)
    >>> [(len(part), full) for part, full in cut_by_tokens(documents, 1, 2)]
    [(1, True), (2, True), (1, False)]
    """
    start, before = 0, 0
    while start < len(documents):
        stop = int(np.searchsorted(documents.ends, before + room)) + 1
        full = stop <= len(documents)
        stop = min(stop, len(documents))
        yield documents.part(start, stop), full
        start, before, room = stop, int(documents.ends[stop - 1]), size


def encode_documents(
    tokenizer: Tokenizer,
    texts: pa.LargeBinaryArray,
    rows: Array,
    names: Array,
    source: int,
    threads: int,
) -> Documents:
    """Encode texts and append the separator to each.

    Args:
        tokenizer: the encoder.
        texts: the texts, [n].
        rows: int64 [n], where each begins in its source.
        names: uint8 [n, 16], the names of the documents.
        source: index into the plan's sources.
        threads: number of threads of the encoder.
    """
    count = len(texts)
    sizes = np.diff(text_offsets(texts))
    if count == 1 and sizes[0] > LARGE_BYTES:
        tokens = encode_large(tokenizer, texts, threads)
        offsets = np.array([0, len(tokens) - 1])
    else:
        ids, offsets = tokenizer.encode_batch(texts, threads=threads)
        tokens = np.insert(ids, offsets[1:], tokenizer.eos_id)
    return Documents(
        tokens=tokens,
        ends=offsets[1:] + np.arange(1, count + 1),
        n_bytes=sizes,
        ids=names,
        source=np.full(count, source, dtype=np.int32),
        row=rows,
    )


def encode_large(tokenizer: Tokenizer, texts: pa.LargeBinaryArray, threads: int) -> Array:
    """Encode the only text of an array [1] and its separator; the ids [tokens] are held once."""
    start, stop = text_offsets(texts).tolist()
    text = np.frombuffer(texts.buffers()[2], np.uint8)[start:stop]
    tokens = bytearray()  # which grows in place
    for ids in tokenizer.encode_parts(text, threads):
        tokens += ids.data
    tokens += np.array([tokenizer.eos_id], tokenizer.dtype).data
    return np.frombuffer(tokens, tokenizer.dtype)


def document_ids(texts: pa.LargeBinaryArray) -> npt.NDArray[np.uint8]:
    """Return the names of texts [n], uint8 [n, 16]."""
    data = memoryview(texts.buffers()[2] or b"")
    names = [
        document_id(data[start:stop]) for start, stop in pairwise(text_offsets(texts).tolist())
    ]
    return np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, ID_BYTES)
