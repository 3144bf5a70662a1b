"""Training windows: fixed-length examples of a token stream, in a shuffled order.

The order is a pure function of seed and sample number, so resuming takes one integer. Neither the
batch size nor the number of readers changes the n-th sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from spiketok.errors import SpikeError

from .shuffle import permute
from .token_stream import TokenStream

# The order is computed for many samples at a time: for few, NumPy's overhead would dominate.
ORDER_SAMPLES = 4096
# Tokens, and a loss mask of the same shape; None: all are trained on.
Batch: TypeAlias = tuple[np.ndarray[Any, np.dtype[Any]], npt.NDArray[np.bool_] | None]


@dataclass(frozen=True, slots=True)
class Windows:
    """Training windows of a stream, which is repeated without end.

    Window i has the tokens from i · length − 1 to (i + 1) · length − 1, the last one included. Its
    first token is the last of the window before. All but the first are targets, so that each token
    of the repeated stream is a target exactly once. The first token of window 0 is the last of the
    stream, the separator that ends its last document. So a separator precedes the first document,
    as it precedes all others.
    """

    stream: TokenStream
    length: int

    @property
    def count(self) -> int:
        """Windows of an epoch: the fewest in which each token is a target; 0 if none is whole."""
        return -(-self.stream.tokens // self.length) if self.whole else 0

    @property
    def whole(self) -> int:
        """Number of windows before the stream begins again."""
        return self.stream.tokens // self.length

    def read(self, index: npt.NDArray[np.int64]) -> Batch:
        """Return windows, tokens [index, length + 1] of the stream's type, and their mask."""
        starts = (np.asarray(index, dtype=np.int64) * self.length - 1) % max(self.stream.tokens, 1)
        size = self.length + 1
        return self.stream.read(starts, size), self.stream.read_mask(starts, size)


def batches(
    stream: TokenStream, length: int, batch_size: int, seed: int, start_sample: int = 0
) -> Iterator[Batch]:
    """Return shuffled batches without end: [batch_size, length + 1] uint16 or uint32, and masks.

    Epoch e has the windows from e · count to (e + 1) · count, each once, in its own order. It
    continues in the stream after the epoch before. Sample n is at position n mod count of epoch n
    div count.

    Args:
        stream: the tokens.
        length: targets of a window.
        batch_size: windows of a batch.
        seed: of the shuffle.
        start_sample: number of the first sample; a run that has used n samples resumes with n.

    Raises:
        SpikeError: the stream is shorter than one window.
    """
    windows = Windows(stream, length)
    if windows.count == 0:
        raise SpikeError(
            f"{stream.tokens} tokens are too few for one window of {length}; add text"
            " or choose shorter windows"
        )
    return _batches(windows, batch_size, seed, start_sample)


def _batches(windows: Windows, batch_size: int, seed: int, start_sample: int) -> Iterator[Batch]:
    stride = batch_size * max(ORDER_SAMPLES // batch_size, 1)
    epoch = -1
    while True:
        order = shuffled(np.arange(start_sample, start_sample + stride), windows.count, seed)
        for first in range(0, stride, batch_size):
            newest = (start_sample + first + batch_size - 1) // windows.count
            if newest != epoch:
                windows.stream.start_epoch()
                epoch = newest
            yield windows.read(order[first : first + batch_size])
        start_sample += stride


def shuffled(samples: npt.NDArray[np.int64], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the window numbers of samples [n]; every `count` samples are an epoch."""
    epochs, positions = np.divmod(samples, count)
    order = np.empty_like(positions)
    for epoch in np.unique(epochs).tolist():
        chosen = epochs == epoch
        order[chosen] = epoch * count + permute(positions[chosen], count, seed, epoch)
    return order
