"""Grows and shrinks a vocabulary in rounds, each judged by what the real encoder does."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._native import Matcher, Trial, count_pairs
from .allowed import Allowed
from .candidates import Candidate, beginnings, choose, concatenations
from .pruning import drop_cheapest
from .text_buffers import Buffer, join
from .training_progress import TrainingProgress
from .training_settings import EFFORTS, LengthMaxSettings
from .vocabulary import room_for_pieces

BYTES = [bytes([byte]) for byte in range(256)]
# Entries per growing round, as a factor: smaller is slower and hardly better.
GROWTH = 1.2
# The surplus goes in so many steps: costs are exact for one entry, not for many at once.
DROPS, REFINING_DROPS = 6, 3
# A refining round puts so large a share of the vocabulary to the test.
EXCHANGED = 0.1
SMALLEST_GAIN = 1e-4
# Candidates looked at for each one wanted: many are too long, too alike or not allowed.
CANDIDATES_PER_ENTRY = 16
LEAST_CANDIDATES = 1 << 14


class Rounds:
    """One training: the laid-out sample, and the rounds over it."""

    def __init__(
        self,
        settings: LengthMaxSettings,
        texts: Buffer,
        threads: int,
        report: Callable[[TrainingProgress], None],
    ) -> None:
        self.text, self.offsets = texts
        self.threads = threads
        self.settings = settings
        self.effort = EFFORTS[settings.effort]
        self.wanted = 256 + room_for_pieces(settings.vocab_size, settings.layout)
        self.kept: frozenset[bytes] = frozenset()
        self.allowed: Allowed = settings.allowed(settings.boundary)
        self.report = report
        self.round = 0
        growing = np.log(max(self.wanted * self.effort.surplus / 256, 1)) / np.log(GROWTH)
        self.rounds = int(np.ceil(growing)) + DROPS + self.effort.refinements

    def run(self) -> list[bytes]:
        """Return the entries chosen, in order."""
        entries = BYTES
        if self.settings.two_stage:
            self.allowed = self.settings.allowed("word")
            first = 256 + int((self.wanted - 256) * self.settings.two_stage)
            entries = self.drop_surplus(self.grow(entries, self.surplus(first)), first)
            self.kept = frozenset(entries)
            self.allowed = self.settings.allowed("none")
        entries = self.grow(entries, self.surplus(self.wanted))
        return self.refine(self.drop_surplus(entries, self.wanted))

    def surplus(self, wanted: int) -> int:
        """Return how many entries to grow to before dropping the surplus; bytes alone suffice."""
        return int(wanted * self.effort.surplus) if wanted > 256 else wanted

    def grow(self, entries: list[bytes], limit: int) -> list[bytes]:
        """Add the most frequent pairs until there are `limit` entries or no pairs left."""
        while len(entries) < limit:
            texts = self.beginning(len(entries) * self.effort.growing_text)
            ids, offsets = encode(entries, texts, self.threads)
            number = min(int(len(entries) * (GROWTH - 1)) + 1, limit - len(entries))
            found = self.neighbours(entries, ids, offsets, number)
            added = choose(found, occurrences(ids, entries), number)
            if not added:
                break
            self.tell(entries, int(texts[1][-1]), len(ids))
            entries = in_order([*entries, *added])
        return entries

    def drop_surplus(self, entries: list[bytes], target: int) -> list[bytes]:
        """Drop the entries that cost least, in steps: after each the costs are measured anew."""
        return self.drop(entries, target, DROPS, self.effort.dropping_text)

    def drop(self, entries: list[bytes], target: int, steps: int, most_bytes: int) -> list[bytes]:
        """Drop entries in so many steps by what their loss costs in a part of the sample."""
        texts = self.beginning(most_bytes)
        for step in range(steps, 0, -1):
            excess = len(entries) - target
            if excess <= 0:
                break
            uses, costs, tokens = self.try_removals(entries, texts)
            if steps == DROPS:
                self.tell(entries, int(texts[1][-1]), tokens)
            left = len(entries) - -(-excess // step)
            entries = in_order(drop_cheapest(entries, uses, costs, left, self.kept))
        return entries

    def refine(self, entries: list[bytes]) -> list[bytes]:
        """Try others in the place of the least useful, and go on while that saves tokens."""
        texts = self.beginning(self.effort.refining_text)
        number = max(int(self.wanted * EXCHANGED), 1)
        best, fewest = entries, len(encode(entries, texts, self.threads)[0])
        for _ in range(self.effort.refinements):
            added = self.propose(best, texts, number)
            if not added:
                break
            entries = in_order([*best, *added])
            entries = self.drop(entries, self.wanted, REFINING_DROPS, self.effort.refining_text)
            tokens = len(encode(entries, texts, self.threads)[0])
            if tokens >= fewest:
                break
            small = tokens > fewest * (1 - SMALLEST_GAIN)
            best, fewest = entries, tokens
            self.tell(best, int(texts[1][-1]), tokens)
            if small:
                break
        return best

    def propose(self, entries: list[bytes], texts: Buffer, number: int) -> list[bytes]:
        """Return up to `number` new entries that save most tokens, each measured by itself."""
        ids, offsets = encode(entries, texts, self.threads)
        found = list(self.neighbours(entries, ids, offsets, number))
        found += beginnings(entries, found, self.allowed)
        pieces = [one.piece for one in found]
        trial = Trial(*join([*entries, *pieces]))
        change = trial.try_changes(len(entries), False, *texts, self.threads)[1]
        gains = (-change[len(entries) :]).tolist()
        ranked = sorted(zip(gains, found, strict=True), key=lambda item: (-item[0], item[1].piece))
        return choose((one for gain, one in ranked if gain > 0), occurrences(ids, entries), number)

    def neighbours(
        self, entries: list[bytes], ids: NDArray[Any], offsets: NDArray[np.int64], number: int
    ) -> Iterable[Candidate]:
        """Return what frequent pairs make, several for each of `number` wanted."""
        looked_at = max(LEAST_CANDIDATES, CANDIDATES_PER_ENTRY * number)
        pairs = count_pairs(ids, offsets, looked_at, self.threads)
        return concatenations(entries, pairs, self.allowed)

    def try_removals(self, entries: list[bytes], texts: Buffer) -> tuple[list[int], list[int], int]:
        """Return uses and costs by id, and the tokens of the texts."""
        trial = Trial(*join(entries))
        uses, costs, tokens = trial.try_changes(len(entries), True, *texts, self.threads)
        return uses.tolist(), costs.tolist(), tokens

    def beginning(self, most_bytes: int) -> Buffer:
        """Return the sample, or whole chunks at its beginning, at least one."""
        chunks = int(np.searchsorted(self.offsets, most_bytes))
        return self.text, self.offsets[: max(chunks, 1) + 1]

    def tell(self, entries: list[bytes], text_bytes: int, tokens: int) -> None:
        """Report a round that left so many tokens."""
        self.round = min(self.round + 1, self.rounds)
        self.report(
            TrainingProgress(self.round, self.rounds, len(entries), text_bytes / max(tokens, 1))
        )


def in_order(entries: Iterable[bytes]) -> list[bytes]:
    """Sort entries: the single bytes first, then the others by bytes."""
    return sorted(entries, key=lambda entry: (len(entry) > 1, entry))


def occurrences(ids: NDArray[Any], entries: Sequence[bytes]) -> list[int]:
    """Count each id."""
    counts: list[int] = np.bincount(ids, minlength=len(entries)).tolist()
    return counts


def encode(entries: Sequence[bytes], texts: Buffer, threads: int) -> Buffer:
    """Encode with a vocabulary whose ids are the ranks of its entries."""
    matcher = Matcher(*join(entries), np.arange(len(entries), dtype=np.uint32))
    return matcher.encode(*texts, threads, len(entries) > 1 << 16)
