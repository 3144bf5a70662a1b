"""Training text: the sample in memory, and the corpus that it is sampled from."""

import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..corpus_sample import CorpusSample, stream_chunks
from ..errors import SpikeError
from ..holdout import HeldOut
from ..text_buffers import Buffer, join
from .settings import LengthMaxSettings

if TYPE_CHECKING:
    import pyarrow as pa

# Bytes of the corpus in memory at a time, beside the sample.
BLOCK_BYTES = 8 << 20
# Bytes of text kept on disk, which may be a part of memory, instead of being read again.
MAX_KEPT = 64 << 20


class TrainingText:
    """Text of one training.

    Attributes:
        sample: the sampled chunks, by rising hash, so that every beginning is a sample too.
    """

    def __init__(
        self,
        sampled: CorpusSample,
        read: Callable[[], Iterable["pa.RecordBatch"]],
        settings: LengthMaxSettings,
        held_out: HeldOut,
    ) -> None:
        chunks = sampled.training.chunks()
        if not chunks:
            where = (
                f"all {sampled.documents:,} documents are held out"
                if sampled.bytes
                else "it is empty"
            )
            fix = "add documents, or hold out other files (--validation)"
            raise SpikeError(f"the corpus has no text to train on: {where}; {fix}")
        self.sample: Buffer = join(chunks)
        sampled.training.heap.clear()  # the same bytes again
        self.corpus_bytes = (
            sampled.bytes if sampled.training.has_dropped else sampled.training.bytes
        )
        self.read = read
        self.held_out = held_out
        self.block_bytes = min(BLOCK_BYTES, settings.sample_bytes)
        self._kept: dict[int, KeptBlocks] = {}

    def beginning(self, most_bytes: int) -> Buffer:
        """Return whole chunks at the beginning of the sample, at least one, or all of it."""
        text, offsets = self.sample
        chunks = int(np.searchsorted(offsets, most_bytes))
        return text, offsets[: max(chunks, 1) + 1]

    def blocks(self, most_bytes: int) -> Iterator[Buffer]:
        """Yield about `most_bytes` of text; read the corpus again where the sample has too little.

        Numbers summed up over the blocks do not depend on where blocks end.
        """
        sampled = len(self.sample[0])
        if most_bytes <= sampled or sampled == self.corpus_bytes:
            yield self.beginning(most_bytes)
            return
        kept = self._kept.get(most_bytes)
        if kept is not None:
            yield from kept.blocks()
            return
        share = most_bytes / self.corpus_bytes
        writing = KeptBlocks() if most_bytes <= MAX_KEPT else None
        for chunks in stream_chunks(self.read(), self.held_out, share, self.block_bytes):
            block = join(chunks)
            if writing and not writing.add(block):
                writing = None
            yield block
        if writing:
            self._kept[most_bytes] = writing


class KeptBlocks:
    """Blocks of text in an unnamed temporary file, faster than reading the corpus again."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 — as long as this object
        weakref.finalize(self, self._file.close)
        self._count = 0

    def add(self, block: Buffer) -> bool:
        """Write a block, and return whether there was room on the disk."""
        try:
            for array in block:
                np.save(self._file, array)
            self._file.flush()
        except OSError:
            self._file.close()
            return False
        self._count += 1
        return True

    def blocks(self) -> Iterator[Buffer]:
        """Yield the blocks."""
        self._file.seek(0)
        for _ in range(self._count):
            yield np.load(self._file), np.load(self._file)
