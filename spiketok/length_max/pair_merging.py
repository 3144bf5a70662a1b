"""Pair merging: choose entries one at a time, by frequency or by frequency × length.

By frequency it is byte-pair encoding over raw text (arXiv 1508.07909, without words); by frequency
× length it is the scoreboard of arXiv 2511.20849. Both are here to be compared with what the rounds
choose for the longest-match encoder.
"""

from collections.abc import Callable

import numpy as np

from .._native import PairMerger
from ..text_buffers import Buffer
from ..training_progress import TrainingProgress
from ..vocabulary import room_for_pieces
from .settings import LengthMaxSettings

MERGES_PER_REPORT = 64


def merge_entries(
    settings: LengthMaxSettings,
    texts: Buffer,
    threads: int,
    report: Callable[[TrainingProgress], None],
) -> list[bytes]:
    """Choose entries by merging pairs: the single bytes, then the merged pieces.

    A pair is never merged if its bytes are not an allowed entry, or are an entry already.

    Args:
        settings: of the training; `objective` is `"frequency"` or `"freq-length"`.
        texts: the sample, as bytes and offsets.
        threads: number of threads; 0: one per core.
        report: called after every 64 merges.
    """
    target = 256 + room_for_pieces(settings.vocab_size, settings.layout)
    allowed = settings.allowed(settings.boundary)
    entries = [bytes([byte]) for byte in range(256)]
    known = set(entries)
    merger = PairMerger(
        *texts,
        weights=np.empty(0, np.int64),
        lengths=np.ones(256, np.uint32),
        merges=target - 256,
        by_length=settings.objective == "freq-length",
        max_token_bytes=settings.max_token_bytes,
        threads=threads,
    )
    size = tokens = len(texts[0])
    while len(entries) < target and (best := merger.best()):
        left, right, count = best
        piece = entries[left] + entries[right]
        if piece in known or not allowed(piece):
            merger.exclude()
            continue
        merger.merge()
        entries.append(piece)
        known.add(piece)
        tokens -= count
        if len(entries) % MERGES_PER_REPORT == 0:
            done, merges = len(entries) - 256, target - 256
            report(TrainingProgress(done, merges, len(entries), size / tokens))
    return entries
