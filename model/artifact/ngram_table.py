"""N-gram table of an artifact: as many counts as fit in a number of bytes."""

from spiketok.errors import SpikeError

from ..scoring.context_mixing.ngram_model import NgramModel
from ..scoring.context_mixing.ngram_table import counts_to_bytes
from .xz import to_xz


def counts_that_fit(counts: NgramModel, most: int) -> tuple[bytes, int]:
    """Return the largest table of at most `most` bytes in an artifact, and its threshold.

    The table has the n-grams whose count is at least the threshold, the smallest that fits.

    Raises:
        SpikeError: no threshold up to 2^24 fits.
    """

    def table(min_count: int) -> bytes:
        return counts_to_bytes(counts.pruned(min_count=min_count))

    def size(min_count: int) -> int:
        data = table(min_count)
        # xz takes minutes for a table far too large; an n-gram never took less than a byte.
        return len(data) // 16 if len(data) > 64 * most else len(to_xz(data))

    fits = 2
    while size(fits) > most:
        fits *= 2
        if fits > 1 << 24:
            raise SpikeError(f"no table of n-grams fits in {most:,} bytes; allow more")
    too_large = fits // 2
    while fits - too_large > 1:
        middle = (fits + too_large) // 2
        if size(middle) > most:
            too_large = middle
        else:
            fits = middle
    return table(fits), fits
