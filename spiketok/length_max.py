"""Chooses the vocabulary with which the longest-match encoder makes the fewest tokens of a corpus.

The objective is that of the Length-MAX tokenizer (arXiv 2511.20849): tokens per byte under
leftmost-longest matching. Its n-gram scoreboard, frequency × length, is not used: what an entry
saves is its uses times the pieces it replaces, less one. So the vocabulary grows and shrinks in
rounds, and the real encoder judges each:

1. cut the sample with the entries so far,
2. make entries of the most frequent adjacent pairs that do not compete with each other,
3. when there are more entries than wanted, drop those whose loss costs fewest tokens.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._native import Matcher, count_pairs
from .candidates import Allowed, choose_pairs
from .errors import SpikeError
from .layout import MOST_TOKEN_BYTES
from .pruning import drop_cheapest
from .sample import CHUNK_BYTES, CorpusSample, draw_sample
from .text_buffers import Buffer, join
from .vocabulary import Vocabulary, build_vocabulary, room_for_pieces

if TYPE_CHECKING:
    import pyarrow as pa

BYTES = [bytes([byte]) for byte in range(256)]
# Entries per growing round, as a factor: smaller is slower and hardly better.
GROWTH = 1.2
# Rounds grow to this multiple of the wanted number, so that there is something to drop.
SURPLUS = 1.15
# A growing round looks at this many bytes of sample for each entry: pairs of a small vocabulary are
# frequent, and a part of the sample tells them as well.
BYTES_PER_ENTRY = 4096
MOST_REFINEMENTS = 5
SMALLEST_GAIN = 1e-4
# Candidates looked at for each one wanted: many are too long, too alike or not allowed.
CANDIDATES_PER_ENTRY = 16
LEAST_CANDIDATES = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthMaxSettings:
    """What to train.

    Attributes:
        vocab_size: number of ids, special and reserved ones included.
        layout: `"chatml"` (a block of 128 special ids) or `"minimal"`.
        boundary: `"none"`: entries may span words; `"word"`: each lies inside a GPT-4-like word.
        max_token_bytes: longest entry, 2 to 255.
        held_out: fraction of documents, chosen by content, that is only measured on.
        sample_bytes: train on at most so much text; at least 64 KiB.
    """

    vocab_size: int = 16512
    layout: str = "chatml"
    boundary: str = "none"
    max_token_bytes: int = 24
    held_out: float = 0.01
    sample_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        room_for_pieces(self.vocab_size, self.layout)
        if self.boundary not in ("none", "word"):
            raise SpikeError(f"boundary {self.boundary!r} is unknown; take none or word")
        if not 2 <= self.max_token_bytes <= MOST_TOKEN_BYTES:
            raise SpikeError(
                f"max_token_bytes {self.max_token_bytes}: choose 2 to {MOST_TOKEN_BYTES}"
            )
        if not 0 <= self.held_out < 1:
            raise SpikeError(f"held_out {self.held_out}: choose a fraction of at least 0, below 1")
        if self.sample_bytes < CHUNK_BYTES:
            raise SpikeError(f"sample_bytes {self.sample_bytes}: choose at least {CHUNK_BYTES}")


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a training is; `rounds` is an estimate, and `round` never exceeds it."""

    round: int
    rounds: int
    entries: int
    bytes_per_token: float


def train_length_max(
    batches: Iterable["pa.RecordBatch"],
    settings: LengthMaxSettings,
    *,
    threads: int = 0,
    inputs: Sequence[Path | str] = (),
    report: Callable[[TrainingProgress], None] | None = None,
) -> Vocabulary:
    """Train a vocabulary; the same documents in any order, and any `threads`, give the same one.

    Args:
        batches: the corpus: record batches whose column `text` is binary or string.
        settings: what to train.
        threads: how many to use; 0: one per core.
        inputs: where the corpus came from, to be kept with the vocabulary.
        report: called after each round.

    Returns:
        The vocabulary, its pieces from the most to the least used in the sample, ties by bytes. Ids
        that the corpus could not fill are reserved.

    Raises:
        SpikeError: there is no text to train on.
    """
    sample = draw_sample(batches, settings.sample_bytes, settings.held_out)
    chunks = sample.training.chunks()
    if not chunks:
        where = (
            f"all {sample.documents:,} documents are held out" if sample.bytes else "it is empty"
        )
        raise SpikeError(f"the corpus has no text to train on: {where}; add documents")
    trainer = Rounds(settings, chunks, threads, report or (lambda _: None))
    entries = trainer.refine(trainer.grow())
    ids = trainer.cut(entries)[0]
    uses = np.bincount(ids, minlength=len(entries)).tolist()
    ranked = sorted(zip(uses, entries, strict=True), key=lambda item: (-item[0], item[1]))
    return build_vocabulary(
        [entry for _, entry in ranked if len(entry) > 1],
        settings.vocab_size,
        settings.layout,
        max_token_bytes=settings.max_token_bytes,
        settings=asdict(settings),
        training={
            **describe(sample),
            "bytes_per_token": round(sample.training.bytes / len(ids), 6),
            "held_out_bytes_per_token": measure(entries, sample.held_out.chunks(), threads),
        },
        inputs=tuple(Path(file).absolute() for file in inputs),
    )


class Rounds:
    """One training: the laid-out sample, and the rounds over it."""

    def __init__(
        self,
        settings: LengthMaxSettings,
        chunks: list[bytes],
        threads: int,
        report: Callable[[TrainingProgress], None],
    ) -> None:
        self.text, self.offsets = join(chunks)
        self.threads = threads
        self.wanted = 256 + room_for_pieces(settings.vocab_size, settings.layout)
        self.allowed = Allowed(settings.max_token_bytes, within_word=settings.boundary == "word")
        self.report = report
        self.round = 0
        growing = np.log(max(self.wanted * SURPLUS / 256, 1)) / np.log(GROWTH)
        self.rounds = int(np.ceil(growing)) + MOST_REFINEMENTS

    def grow(self) -> list[bytes]:
        """Go from single bytes to more entries than wanted, or as many as the sample gives."""
        entries, limit = BYTES, int(self.wanted * SURPLUS)
        while self.wanted > 256 and len(entries) < limit:
            ids, offsets = self.cut(entries, len(entries) * BYTES_PER_ENTRY)
            number = min(int(len(entries) * (GROWTH - 1)) + 1, limit - len(entries))
            found = self.propose(entries, ids, offsets, number)
            if not found:
                break
            self.tell(entries, offsets)
            entries = sorted([*entries, *found])
        return entries

    def refine(self, entries: list[bytes]) -> list[bytes]:
        """Drop the surplus, try others in its place, and go on while that saves tokens."""
        best, fewest = entries, None
        for _ in range(MOST_REFINEMENTS):
            uses = np.bincount(self.cut(entries)[0], minlength=len(entries))
            entries = drop_cheapest(entries, uses.tolist(), self.wanted)
            ids, offsets = self.cut(entries)
            if fewest is not None and len(ids) > fewest * (1 - SMALLEST_GAIN):
                break
            best, fewest = entries, len(ids)
            self.tell(entries, offsets)
            found = self.propose(entries, ids, offsets, int(self.wanted * (SURPLUS - 1)))
            if not found:
                break
            entries = sorted([*entries, *found])
        return best

    def cut(self, entries: list[bytes], most_bytes: int | None = None) -> Buffer:
        """Encode the sample, or whole chunks at its beginning; ids are ranks in `entries`."""
        offsets = self.offsets
        if most_bytes is not None:
            chunks = int(np.searchsorted(offsets, most_bytes))
            offsets = offsets[: max(chunks, 1) + 1]
        return encode(entries, (self.text, offsets), self.threads)

    def propose(
        self, entries: list[bytes], ids: NDArray[Any], offsets: NDArray[np.int64], number: int
    ) -> list[bytes]:
        """Return up to `number` new entries."""
        looked_at = max(LEAST_CANDIDATES, CANDIDATES_PER_ENTRY * number)
        pairs = count_pairs(ids, offsets, looked_at, self.threads)
        uses = np.bincount(ids, minlength=len(entries))
        return choose_pairs(entries, uses.tolist(), pairs, number, self.allowed)

    def tell(self, entries: list[bytes], offsets: NDArray[np.int64]) -> None:
        """Report a round; `offsets` are those of a cut with the entries."""
        chunks = len(offsets) - 1
        self.round = min(self.round + 1, self.rounds)
        bytes_per_token = int(self.offsets[chunks]) / int(offsets[-1])
        self.report(TrainingProgress(self.round, self.rounds, len(entries), bytes_per_token))


def encode(entries: Sequence[bytes], texts: Buffer, threads: int) -> Buffer:
    """Encode with a vocabulary whose ids are the ranks of its entries."""
    matcher = Matcher(*join(entries), np.arange(len(entries), dtype=np.uint32))
    return matcher.encode(*texts, threads, len(entries) > 1 << 16)


def measure(entries: Sequence[bytes], chunks: list[bytes], threads: int) -> float | None:
    """Return the bytes per token of some text; None where there is none."""
    if not chunks:
        return None
    text, offsets = join(chunks)
    return round(len(text) / len(encode(entries, (text, offsets), threads)[0]), 6)


def describe(sample: CorpusSample) -> dict[str, Any]:
    """Return what the trainer saw, for the tokenizer file."""
    return {
        "documents": sample.documents,
        "bytes": sample.bytes,
        "sampled_bytes": sample.training.bytes,
        "held_out_bytes": sample.held_out.bytes,
        "corpus": f"{sample.name:032x}",
    }
