"""N-gram counts of an artifact: as many of them as fit in a number of bytes."""

from spiketok.errors import SpikeError

from ..scoring.context_mixing.ngram_model import NgramModel
from ..scoring.context_mixing.ngram_table import counts_to_bytes
from .xz import to_xz


def counts_that_fit(counts: NgramModel, most: int) -> tuple[bytes, int]:
    """Return the table that takes `most` bytes in an artifact, or a little less, and its threshold.

    It keeps the n-grams with at least a threshold of counts: the smallest whose table fits.

    Raises:
        SpikeError: not even a table of next to nothing fits.
    """

    def table(min_count: int) -> bytes:
        return counts_to_bytes(counts.pruned(min_count=min_count))

    def size(min_count: int) -> int:
        made = table(min_count)
        # xz takes minutes for a table far too large; an n-gram never took less than a byte.
        return len(made) // 16 if len(made) > 64 * most else len(to_xz(made))

    fits = 2
    while size(fits) > most:
        fits *= 2
        if fits > 1 << 24:
            raise SpikeError(f"no table of counts fits in {most:,} bytes; allow more")
    wrong = fits // 2
    while fits - wrong > 1:
        middle = (fits + wrong) // 2
        if size(middle) > most:
            wrong = middle
        else:
            fits = middle
    return table(fits), fits
