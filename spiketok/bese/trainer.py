"""BESE trainer: learn merges from a whole corpus, in bounded memory (docs/bese.md)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._native import PairMerger
from ..corpus_sample import HELD_OUT_BYTES, ChunkSample, document_ids
from ..cpu_count import available_cores
from ..errors import SettingError, SpikeError
from ..holdout import HeldOut, held_out_of
from ..length_max.settings import MIN_MEMORY
from ..text_buffers import join
from ..training_progress import TrainingProgress
from .corpus import BaseText, DocumentGatherer, SegmentGatherer, gather
from .vocabulary import ALPHABETS, BASE_IDS, MAX_BASE_IDS, MAX_IDS, BeseMerger, BeseVocabulary

if TYPE_CHECKING:
    import pyarrow as pa

# The trainer's peak memory is below this multiple of the base ids that it keeps; the published
# alphabet also stores the positions of all pairs.
MEMORY_PER_ID = {"bese": 6, "bese-published": 16}
MERGES_PER_REPORT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BeseSettings:
    """BESE training settings.

    Attributes:
        vocab_size: number of ids, at least 40.
        alphabet: `"bese"`, or `"bese-published"` for comparison, which is not lossless.
        held_out: fraction of documents, chosen by content, for measurement only.
        memory: bytes that the trainer may use, at least 1 MiB.
    """

    vocab_size: int = 288
    alphabet: str = "bese"
    held_out: float = 0.01
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        if self.alphabet not in ALPHABETS:
            known = ", ".join(ALPHABETS)
            raise SettingError("alphabet", f"{self.alphabet!r} is unknown; use one of {known}")
        if not BASE_IDS <= self.vocab_size <= MAX_IDS:
            fault = f"{self.vocab_size:,} is out of range; choose {BASE_IDS} to {MAX_IDS:,}"
            raise SettingError("vocab_size", fault)
        if not 0 <= self.held_out < 1:
            fault = f"{self.held_out} is out of range; choose a fraction from 0 to below 1"
            raise SettingError("held_out", fault)
        if self.memory < MIN_MEMORY:
            fault = f"{self.memory} bytes are too few; choose at least {MIN_MEMORY}"
            raise SettingError("memory", fault)


def train_bese(
    read: Callable[[], Iterable["pa.RecordBatch"]],
    settings: BeseSettings,
    *,
    held_out: HeldOut | None = None,
    threads: int = 0,
    inputs: Sequence[Path | str] = (),
    report: Callable[[TrainingProgress], None] = lambda _: None,
) -> BeseVocabulary:
    """Train a BESE vocabulary: merge the most frequent pair until `vocab_size` ids exist.

    The result does not depend on `threads`.
    In the lossless alphabet ties go to the smallest ids, and the order of documents has no effect.
    In the published one ties go to the pair that comes first.

    Args:
        read: returns the corpus: record batches whose column `text` is binary or string.
        settings: of the training.
        held_out: the documents for measurement only; None: those of `settings.held_out`.
        threads: number of threads; 0: one per core that is allowed.
        inputs: files and folders of the corpus, recorded in the vocabulary.
        report: called after every 16 merges.

    Raises:
        SpikeError: there is no text to train on.
    """
    threads = threads or available_cores()
    room = settings.memory // MEMORY_PER_ID[settings.alphabet]
    gatherer = SegmentGatherer(room) if ALPHABETS[settings.alphabet] else DocumentGatherer(room)
    held_out = held_out or held_out_of(document_ids(read()), settings.held_out)
    measured = ChunkSample(HELD_OUT_BYTES)
    about = gather(read(), held_out, gatherer, measured)
    text = gatherer.take()
    if len(text.ids) == 0:
        held = f"all {about['documents']:,} documents are held out, or memory is too small"
        where = held if about["bytes"] else "it is empty"
        fix = "add documents, or hold out other files (--validation)"
        raise SpikeError(f"the corpus has no text to train on: {where}; {fix}")
    size = text.bytes()
    merges, tokens = learn(text, size, settings, threads, report)
    vocabulary = BeseVocabulary(
        alphabet=settings.alphabet, merges=merges, vocab_size=settings.vocab_size
    )
    return replace(
        vocabulary,
        settings=asdict(settings),
        training={
            **about,
            **held_out.record(settings.held_out),
            "sampled_bytes": size,
            "sampled": not text.is_whole,
            "bytes_per_token": round(size / tokens, 6),
            "held_out_bytes_per_token": measure(vocabulary, measured.chunks(), threads),
        },
        inputs=tuple(Path(file).absolute() for file in inputs),
    )


def learn(
    text: BaseText,
    size: int,
    settings: BeseSettings,
    threads: int,
    report: Callable[[TrainingProgress], None],
) -> tuple[tuple[tuple[int, int], ...], int]:
    """Learn the merges of a text; return them, and the number of tokens that it has with them.

    Args:
        text: the base ids of the text.
        size: bytes of the text, for reports.
        settings: of the training.
        threads: number of threads; 0: one per core.
        report: called after every 16 merges.
    """
    tokens = text.tokens()
    limit = settings.vocab_size - BASE_IDS
    merger = PairMerger(
        text.ids,
        text.offsets,
        text.counts,
        np.ones(BASE_IDS, np.uint32),
        merges=limit,
        by_length=False,
        max_token_bytes=MAX_BASE_IDS,
        threads=threads,
        first_seen=not ALPHABETS[settings.alphabet],
    )
    merges: list[tuple[int, int]] = []
    while len(merges) < limit and (best := merger.best()):
        left, right, count = best
        merger.merge()
        merges.append((left, right))
        tokens -= count
        if len(merges) % MERGES_PER_REPORT == 0:
            entries = BASE_IDS + len(merges)
            report(TrainingProgress(len(merges), limit, entries, size / tokens))
    return tuple(merges), tokens


def measure(vocabulary: BeseVocabulary, texts: Sequence[bytes], threads: int) -> float | None:
    """Return the bytes per token of texts; None where there are none."""
    size = sum(map(len, texts))
    if size == 0:
        return None
    ids = BeseMerger(vocabulary).encode(*join(texts), threads, True)[0]
    return round(size / len(ids), 6)
