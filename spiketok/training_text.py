"""What a training looks at: the sample in memory, and the corpus that it was drawn from."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from .errors import SpikeError
from .held_out import HeldOut
from .sample import CorpusSample, stream_chunks
from .text_buffers import Buffer, join
from .training_settings import LengthMaxSettings

if TYPE_CHECKING:
    import pyarrow as pa

# Text of the corpus that is in memory at a time, beside the sample.
BLOCK_BYTES = 8 << 20


class TrainingText:
    """The text of one training.

    Attributes:
        sample: the chunks drawn, by rising hash, so that every beginning is a sample too.
    """

    def __init__(
        self,
        drawn: CorpusSample,
        read: Callable[[], Iterable["pa.RecordBatch"]],
        settings: LengthMaxSettings,
        held_out: HeldOut,
    ) -> None:
        chunks = drawn.training.chunks()
        if not chunks:
            where = (
                f"all {drawn.documents:,} documents are held out" if drawn.bytes else "it is empty"
            )
            more = "; add documents, or hold out other files (--held-out)"
            raise SpikeError(f"the corpus has no text to train on: {where}{more}")
        self.sample: Buffer = join(chunks)
        drawn.training.heap.clear()  # the same bytes again
        self.corpus_bytes = drawn.bytes if drawn.training.has_dropped else drawn.training.bytes
        self.read = read
        self.held_out = held_out
        self.block_bytes = min(BLOCK_BYTES, settings.sample_bytes)

    def beginning(self, most_bytes: int) -> Buffer:
        """Return the sample, or whole chunks at its beginning, at least one."""
        text, offsets = self.sample
        chunks = int(np.searchsorted(offsets, most_bytes))
        return text, offsets[: max(chunks, 1) + 1]

    def blocks(self, most_bytes: int) -> Iterator[Buffer]:
        """Yield about `most_bytes` of text, from the corpus again where the sample has not enough.

        Numbers summed up over the blocks do not depend on where blocks end.
        """
        sampled = len(self.sample[0])
        if most_bytes <= sampled or sampled == self.corpus_bytes:
            yield self.beginning(most_bytes)
            return
        share = most_bytes / self.corpus_bytes
        for chunks in stream_chunks(self.read(), self.held_out, share, self.block_bytes):
            yield join(chunks)
