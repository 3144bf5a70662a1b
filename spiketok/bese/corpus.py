"""BESE corpus: base ids, each different row once with its count, in bounded memory."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._native import SegmentCounter
from ..corpus_sample import CORPUS_MODULUS, ChunkSample, documents, split_chunks
from ..duplicate_documents import CopyCounter
from ..holdout import HeldOut, document_id
from ..text_buffers import join
from .vocabulary import BASE_IDS, GROUP, LETTER, PLACE, BeseMerger, BeseVocabulary

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_BYTES = 1 << 22


class BaseText(NamedTuple):
    """Base ids of a corpus: different rows, and the number of times that each occurs.

    Attributes:
        ids: uint8, all rows concatenated; no row is empty.
        offsets: int64 [rows + 1], the start of each.
        counts: int64 [rows], occurrences of each.
        is_whole: whether the corpus has nothing else.
    """

    ids: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    is_whole: bool

    def tokens(self) -> int:
        """Return the number of base ids of all occurrences."""
        return int((np.diff(self.offsets) * self.counts).sum())

    def bytes(self) -> int:
        """Return the bytes of text of all occurrences."""
        # Comparing takes a byte an id; a table of numbers by id, or a sum by row, takes eight.
        is_byte = self.ids >= PLACE
        is_byte |= (self.ids >= LETTER) & (self.ids < GROUP)
        rows = zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        sizes = [np.count_nonzero(is_byte[start:stop]) for start, stop in rows]
        return int((np.array(sizes, np.int64) * self.counts).sum())


class Gatherer(Protocol):
    """Protocol of a gatherer: texts in, base ids out."""

    def add(self, texts: Sequence[bytes]) -> None:
        """Add texts."""

    def take(self) -> BaseText:
        """Return the base ids gathered so far."""


class SegmentGatherer:
    """Gatherer of the different segments of the lossless alphabet.

    Where they exceed the room, those with the larger half of the hashes are dropped, repeatedly.
    The rest is a half, a quarter, … of the segments, the same for any order of documents.
    """

    def __init__(self, room: int) -> None:
        self.segments = SegmentCounter(room)

    def add(self, texts: Sequence[bytes]) -> None:
        """Count the segments of texts."""
        self.segments.add(*join(texts))

    def take(self) -> BaseText:
        """Return the segments."""
        is_whole = self.segments.halvings == 0
        return BaseText(*self.segments.take(), is_whole)


class DocumentGatherer:
    """Gatherer of the first documents in the published alphabet, which has no segments."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.is_whole = True
        self.rows: list[NDArray[np.uint8]] = []
        self.coder = BeseMerger(
            BeseVocabulary(alphabet="bese-published", merges=(), vocab_size=BASE_IDS)
        )

    def add(self, texts: Sequence[bytes]) -> None:
        """Keep documents while there is room; the first that has none ends it."""
        for text in texts:
            if not self.is_whole:
                return
            row = self.coder.encode(*join([text]), 1, False)[0].astype(np.uint8)
            self.room -= len(row)
            self.is_whole = self.room >= 0
            if self.is_whole and len(row):
                self.rows.append(row)

    def take(self) -> BaseText:
        """Return the documents in their order."""
        lengths = [len(row) for row in self.rows]
        ids = np.concatenate([np.empty(0, np.uint8), *self.rows])
        self.rows.clear()
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        return BaseText(ids, offsets, np.ones(len(lengths), np.int64), self.is_whole)


def gather(
    batches: Iterable["pa.RecordBatch"],
    held_out: HeldOut,
    gatherer: Gatherer,
    measured: ChunkSample,
) -> dict[str, Any]:
    """Read a corpus once; return its description for the tokenizer file.

    Args:
        batches: record batches whose column `text` is binary or string.
        held_out: the documents for measurement only.
        gatherer: receives the other documents.
        measured: receives the held-out documents.
    """
    seen = size = name = waiting_bytes = held_out_documents = 0
    waiting: list[bytes] = []
    copies = CopyCounter()
    for text in documents(batches):
        identifier = document_id(text)
        seen, size = seen + 1, size + len(text)
        copies.add(identifier, len(text))
        name = (name + int.from_bytes(identifier, "big")) % CORPUS_MODULUS
        if identifier in held_out:
            held_out_documents += 1
            for chunk in split_chunks(text):
                measured.offer(chunk)
            continue
        waiting.append(bytes(text))
        waiting_bytes += len(text)
        if waiting_bytes >= BATCH_BYTES:
            gatherer.add(waiting)
            waiting, waiting_bytes = [], 0
    gatherer.add(waiting)
    return {
        "documents": seen,
        "bytes": size,
        **copies.as_members(),
        "held_out_documents": held_out_documents,
        "held_out_bytes": measured.bytes,
        "corpus": f"{name:032x}",
    }
