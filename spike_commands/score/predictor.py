"""Predictor of a run: its parts and their initial counts, of shards or of the artifact."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from datapipe import open_stream
from spike_lm.model.config.mixing import PredictorSettings
from spike_lm.model.config.ttt import TTTConfig
from spike_lm.model.runs.folder import Run
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
from spike_lm.model.scoring.context_mixing.ngram_table import counts_from_bytes
from spike_lm.model.scoring.predictor_spec import COUNTS, PredictorSpec
from spiketok.errors import SettingError, SpikeError

from ..callbacks import SILENT, Callbacks
from ..data.same_tokenizer import check_tokenizer

# Tokens learned between two reports.
SLICE = 1 << 18


def predictor_spec(
    run: Run,
    settings: PredictorSettings,
    counts_folder: Path | None = None,
    ttt: TTTConfig | None = None,
    show: Callbacks = SILENT,
) -> PredictorSpec:
    """Return a predictor's specification, with its initial counts.

    Args:
        run: the run.
        settings: parts to mix with the network.
        counts_folder: shards whose n-grams are counted first.
        ttt: settings of test-time training; None: none.
        show: callbacks for progress and remarks.

    Raises:
        SpikeError: the counts are of shards of another tokenizer, or a damaged table.
        SettingError: shards are named and no part uses their counts.
    """
    max_context = settings.lengths[-1]
    table = run.tables.get(COUNTS)
    known: dict[str, Any] = {}
    if counts_folder is not None:
        if not settings.has("ngram"):
            raise SettingError("--counts", "goes with --with ngram; add it or leave --counts out")
        counts, fingerprint = learned_counts(run, counts_folder, max_context, show)
        known = {"counts": counts, "counts_from": f"shards {fingerprint}"}
    elif table is not None and settings.has("ngram"):
        size = run.tokenizer.vocab_size
        try:
            known["counts"] = NgramModel(
                size, max_context=max_context, initial=counts_from_bytes(table)
            )
        except ValueError as error:
            raise SpikeError(
                f"the artifact's n-gram counts are damaged ({error}); pack the run again"
            ) from None
        known["counts_from"] = f"table {sha256(table).hexdigest()}"
    return PredictorSpec(settings=settings, ttt=ttt, **known)


def learned_counts(
    run: Run, folder: Path, max_context: int, show: Callbacks
) -> tuple[NgramModel, str]:
    """Count the training split of shards; return the counts and the shards' fingerprint.

    Args:
        run: the run.
        folder: the shards.
        max_context: length of the longest context.
        show: callbacks for progress and remarks.
    """
    stream = open_stream(folder, "train")
    check_tokenizer(folder, stream.made_by.fingerprint, run)
    counts = NgramModel(run.tokenizer.vocab_size, max_context=max_context)
    counts.reserve(stream.tokens)
    with show.progress("count", max(1, stream.tokens), "tokens") as report:
        for first in range(0, stream.tokens, SLICE):
            size = min(SLICE, stream.tokens - first)
            counts.learn(stream.read(np.array([first]), size)[0])
            report(first + size, "")
    return counts, stream.fingerprint
