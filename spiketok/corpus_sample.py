"""Corpus sample: bounded, spread over the corpus, and independent of its order."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xxhash

from .duplicate_documents import CopyCounter
from .errors import SpikeError
from .holdout import HeldOut, document_id

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK_BYTES = 64 << 10
HELD_OUT_BYTES = 4 << 20
# Another seed than that of documents' names: the holdout must not affect the choice of chunks.
CHUNK_SEED = 1
CHUNK_CODES = 1 << 64
CORPUS_MODULUS = 1 << 128


class ChunkSample:
    """Sample of chunks: the different ones with the smallest hashes, up to the budget.

    A chunk that would exceed the budget lowers the threshold to the largest hash present, for good.
    So the chunks kept at the end are exactly those below one threshold, in any order of
    arrival. A chunk that occurs more than once counts once.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self.threshold = CHUNK_CODES
        self.heap: list[tuple[int, bytes]] = []
        self.hashes: set[int] = set()

    def offer(self, chunk: bytes) -> None:
        """Keep the chunk if its hash is small enough, and drop others for it."""
        code = chunk_code(chunk)
        if code >= self.threshold or code in self.hashes:
            return
        heapq.heappush(self.heap, (-code, chunk))
        self.hashes.add(code)
        self.bytes += len(chunk)
        while self.bytes > self.budget:
            largest, dropped = heapq.heappop(self.heap)
            self.threshold = -largest
            self.hashes.remove(self.threshold)
            self.bytes -= len(dropped)

    @property
    def has_dropped(self) -> bool:
        """Whether the budget was too small for everything."""
        return self.threshold < CHUNK_CODES

    def chunks(self) -> list[bytes]:
        """Return the chunks kept, by rising hash: every beginning of the list is a sample too."""
        return [chunk for _, chunk in sorted(self.heap, reverse=True)]


@dataclass(slots=True)
class CorpusSample:
    """Sample of a corpus, and the corpus's description."""

    training: ChunkSample
    held_out: ChunkSample
    documents: int = 0
    held_out_documents: int = 0
    bytes: int = 0
    copies: CopyCounter = field(default_factory=CopyCounter)
    name: int = field(default=0)  # sum of the documents' ids, the same for any order


def draw_sample(
    batches: Iterable["pa.RecordBatch"], sample_bytes: int, held_out: HeldOut
) -> CorpusSample:
    """Read a corpus once and keep at most `sample_bytes` of it, and 4 MiB of held-out text.

    Args:
        batches: record batches whose column `text` is binary or string.
        sample_bytes: budget for training; at least one chunk of 64 KiB.
        held_out: the documents that training must not see.
    """
    sample = CorpusSample(ChunkSample(sample_bytes), ChunkSample(HELD_OUT_BYTES))
    for text in documents(batches):
        identifier = document_id(text)
        sample.documents += 1
        sample.bytes += len(text)
        sample.copies.add(identifier, len(text))
        sample.name = (sample.name + int.from_bytes(identifier, "big")) % CORPUS_MODULUS
        is_out = identifier in held_out
        sample.held_out_documents += is_out
        part = sample.held_out if is_out else sample.training
        for chunk in split_chunks(text):
            part.offer(chunk)
        del text  # it may be very large, and the next one is read now
    return sample


def stream_chunks(
    batches: Iterable["pa.RecordBatch"], held_out: HeldOut, share: float, block_bytes: int
) -> Iterator[list[bytes]]:
    """Yield a fraction of a corpus's training chunks, in blocks.

    Whether a chunk is among them depends on its bytes alone; a chunk that occurs twice is yielded
    twice. A smaller share is a part of a larger one, and so is the sample of `draw_sample`.

    Args:
        batches: record batches whose column `text` is binary or string.
        held_out: the documents that training must not see.
        share: fraction of the chunks.
        block_bytes: bytes of a block, exceeded by at most one chunk.
    """
    block: list[bytes] = []
    size = 0
    for text in documents(batches):
        chunks = iter(()) if document_id(text) in held_out else split_chunks(text)
        del text  # as in `draw_sample`
        for chunk in chunks:
            if chunk_code(chunk) < share * CHUNK_CODES:
                block.append(chunk)
                size += len(chunk)
            if size >= block_bytes:
                yield block
                block, size = [], 0
    if block:
        yield block


def documents(batches: Iterable["pa.RecordBatch"]) -> Iterator[memoryview]:
    """Yield the texts of the column `text` as UTF-8, views of the batches' memory.

    Raises:
        SpikeError: a document is null.
    """
    number = 0
    for batch in batches:
        for value in batch.column("text"):
            if not value.is_valid:
                raise SpikeError(f"document {number} of the corpus is null; leave it out")
            yield memoryview(value.as_buffer())
            number += 1
            del value  # it holds the batch
        del batch


def document_ids(batches: Iterable["pa.RecordBatch"]) -> Iterator[bytes]:
    """Yield the names of the documents in the column `text`."""
    return map(document_id, documents(batches))


def chunk_code(chunk: bytes) -> int:
    """Return the hash that decides whether a chunk is sampled: below `CHUNK_CODES`."""
    return xxhash.xxh3_64_intdigest(chunk, CHUNK_SEED)


def split_chunks(text: bytes | memoryview) -> Iterator[bytes]:
    """Split a document into chunks of at most 64 KiB, on borders between code points.

    >>> [len(chunk) for chunk in split_chunks(b"a" + "ä".encode() * 40000)]
    [65535, 14466]
    """
    start = 0
    while start < len(text):
        stop = min(start + CHUNK_BYTES, len(text))
        back = stop
        # A code point has at most three continuation bytes; longer runs are not UTF-8 anyway.
        while stop - back < 3 and back < len(text) and text[back] & 0xC0 == 0x80:
            back -= 1
        yield bytes(text[start:back])
        start = back
