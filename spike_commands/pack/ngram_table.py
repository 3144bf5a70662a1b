"""N-gram counts of an artifact: as much of the training text as fits."""

from pathlib import Path
from typing import TYPE_CHECKING

from spiketok.errors import SpikeError

from ..console import remark
from ..score.predictor_options import learned_counts

if TYPE_CHECKING:
    from spike_lm.model.runs.folder import Run
    from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel


def counts_table(run: "Run", folder: Path | None, most: int, quiet: bool) -> dict[str, bytes]:
    """Return the table of counts of a training split that fits; none without shards."""
    from spike_lm.model.config.mixing import PredictorSettings
    from spike_lm.model.scoring.predictor_spec import COUNTS

    if folder is None:
        return {}
    counts, _ = learned_counts(run, folder, PredictorSettings().lengths[-1], quiet)
    table, fewest = counts_that_fit(counts, most)
    remark(f"counts of {fewest} and more fit in {most:,} bytes", quiet)
    return {COUNTS: table}


def counts_that_fit(counts: "NgramModel", most: int) -> tuple[bytes, int]:
    """Return the table that takes `most` bytes in an artifact, or a little less, and its threshold.

    It keeps the n-grams with at least a threshold of counts: the smallest whose table fits.

    Raises:
        SpikeError: not even a table of next to nothing fits.
    """
    from spike_lm.model.artifact.xz import to_xz
    from spike_lm.model.scoring.context_mixing.ngram_table import counts_to_bytes

    def table(fewest: int) -> bytes:
        return counts_to_bytes(counts.keep(fewest=fewest))

    def size(fewest: int) -> int:
        made = table(fewest)
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
