"""Training rounds: grow and shrink a vocabulary, and measure each change with the encoder."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._native import EntryTrie, Matcher, count_pairs
from ..text_buffers import Buffer, join
from ..training_progress import TrainingProgress
from .candidates import Candidate, beginnings, choose, concatenations
from .corpus import TrainingText
from .pruning import drop_cheapest
from .settings import SCOUTING, Effort, LengthMaxSettings

BYTES = [bytes([byte]) for byte in range(256)]
# Entries per growing round, as a factor: smaller is slower and hardly better.
GROWTH = 1.2
# Fraction of entries that are words where words come first; a quarter or all is no better.
WORDS_FIRST = 0.5
# Steps to drop the surplus: costs are exact for one entry, not for many at once.
DROPS, REFINING_DROPS = 6, 2
# The vocabularies that compare two starts are this many times smaller.
SCOUTS_DIVISOR = 4
# Fraction of the vocabulary that a refining round tests.
EXCHANGED = 0.1
SMALLEST_GAIN = 1e-4
# Candidates examined for each one to choose: many are too long, too alike or not allowed.
CANDIDATES_PER_ENTRY = 16
MIN_CANDIDATES = 1 << 14


class Changes(NamedTuple):
    """Effects of single changes of a vocabulary on a text.

    Attributes:
        uses: by entry.
        tokens_more: by entry, the change in tokens: with it where it is new, without it where it is
            in use.
        tokens: of the text, without a change.
        bytes: of the text.
    """

    uses: list[int]
    tokens_more: list[int]
    tokens: int
    bytes: int


class Rounds:
    """Training rounds over a text, for a vocabulary of `target` entries."""

    def __init__(
        self,
        settings: LengthMaxSettings,
        texts: TrainingText,
        threads: int,
        report: Callable[[TrainingProgress], None],
        effort: Effort,
        target: int,
    ) -> None:
        self.texts = texts
        self.threads = threads
        self.settings = settings
        self.effort = effort
        self.target = target
        self.kept: frozenset[bytes] = frozenset()
        self.allowed: Callable[[bytes], bool] = settings.allowed(settings.boundary)
        self.report = report
        self.round = 0
        growing = np.log(max(self.target * effort.surplus / 256, 1)) / np.log(GROWTH)
        self.rounds = int(np.ceil(growing)) + DROPS + effort.refinements

    def run(self) -> list[bytes]:
        """Return the entries chosen, in order."""
        entries = self.two_stages() if self.settings.two_stage else self.start(self.words_first())
        return self.refine(entries, self.effort.refinements)[0]

    def words_first(self) -> bool:
        """Return whether starting with words is better, by training two small vocabularies.

        They are compared by the tokens expected after the next round: the last change repeated.
        """
        if self.settings.boundary == "word":  # both are the same
            return False
        target = 256 + (self.target - 256) // SCOUTS_DIVISOR
        scouts = Rounds(self.settings, self.texts, self.threads, lambda _: None, SCOUTING, target)
        outlooks = []
        for words_first in (False, True):
            _, before, after = scouts.refine(scouts.start(words_first), SCOUTING.refinements)
            outlooks.append(2 * after - before)
        return outlooks[1] < outlooks[0]

    def start(self, words_first: bool) -> list[bytes]:
        """Grow to a surplus and drop it.

        Neighbours of whole words are words again; grown freely from the first, entries begin and
        end anywhere. Rounds never remove the difference. Which is better depends on the text.
        """
        entries = BYTES
        if words_first:
            in_word = self.settings.allowed("word")
            limit = int(self.target * WORDS_FIRST)
            entries = self.grow(entries, limit, lambda one: in_word(one) and self.allowed(one))
        entries = self.grow(entries, self.surplus(self.target), self.allowed)
        return self.drop_surplus(entries, self.target)

    def two_stages(self) -> list[bytes]:
        """Choose a fraction of the entries inside words, keep it, and continue without limit."""
        first = 256 + int((self.target - 256) * self.settings.two_stage)
        words = self.grow(BYTES, self.surplus(first), self.settings.allowed("word"))
        words = self.drop_surplus(words, first)
        self.kept = frozenset(words)
        entries = self.grow(words, self.surplus(self.target), self.allowed)
        return self.drop_surplus(entries, self.target)

    def surplus(self, target: int) -> int:
        """Return the number of entries to grow to before dropping down to `target`."""
        return int(target * self.effort.surplus) if target > 256 else target

    def grow(
        self, entries: list[bytes], limit: int, allowed: Callable[[bytes], bool]
    ) -> list[bytes]:
        """Add the most frequent pairs until there are `limit` entries or no pairs left."""
        while len(entries) < limit:
            texts = self.texts.beginning(len(entries) * self.effort.growing_text)
            ids, offsets = encode(entries, texts, self.threads)
            number = min(int(len(entries) * (GROWTH - 1)) + 1, limit - len(entries))
            candidates = self.neighbours(entries, ids, offsets, number, allowed)
            added = choose(candidates, occurrences(ids, entries), number)
            if not added:
                break
            self.report_round(entries, int(texts[1][-1]), len(ids))
            entries = in_order([*entries, *added])
        return entries

    def drop_surplus(self, entries: list[bytes], target: int) -> list[bytes]:
        """Drop the entries that cost least, in steps: after each the costs are measured again."""
        return self.drop(entries, target, DROPS, self.effort.dropping_text)

    def drop(self, entries: list[bytes], target: int, steps: int, most_bytes: int) -> list[bytes]:
        """Drop the entries whose loss costs the fewest tokens.

        Args:
            entries: the vocabulary.
            target: number of entries to leave.
            steps: costs are measured again for each of these steps.
            most_bytes: size of the text that they are measured on.
        """
        for step in range(steps, 0, -1):
            excess = len(entries) - target
            if excess <= 0:
                break
            changes = self.marginal_costs(entries, len(entries), most_bytes)
            if steps == DROPS:
                self.report_round(entries, changes.bytes, changes.tokens)
            left = len(entries) - -(-excess // step)
            costs = discounted(changes)
            entries = in_order(drop_cheapest(entries, changes.uses, costs, left, self.kept))
        return entries

    def refine(self, entries: list[bytes], rounds: int) -> tuple[list[bytes], int, int]:
        """Replace the least useful entries by others, while that saves tokens.

        Returns:
            The entries, and the number of tokens before and after.
        """
        most_bytes = self.effort.refining_text
        number = max(int(self.target * EXCHANGED), 1)
        before = fewest = self.count_tokens(entries, most_bytes)[0]
        best = entries
        for _ in range(rounds):
            added = self.propose(best, number, most_bytes)
            if not added:
                break
            entries = self.drop(in_order([*best, *added]), self.target, REFINING_DROPS, most_bytes)
            tokens, text_bytes = self.count_tokens(entries, most_bytes)
            if tokens >= fewest:
                break
            small = tokens > fewest * (1 - SMALLEST_GAIN)
            best, fewest = entries, tokens
            self.report_round(best, text_bytes, tokens)
            if small:
                break
        return best, before, fewest

    def propose(self, entries: list[bytes], number: int, most_bytes: int) -> list[bytes]:
        """Return at most `number` new entries that save most tokens, each measured by itself."""
        ids, offsets = encode(entries, self.texts.beginning(most_bytes), self.threads)
        candidates = list(self.neighbours(entries, ids, offsets, number, self.allowed))
        candidates += beginnings(entries, candidates, self.allowed)
        tried = [*entries, *(candidate.piece for candidate in candidates)]
        changes = self.marginal_costs(tried, len(entries), most_bytes)
        gains = [-change for change in discounted(changes)[len(entries) :]]
        pairs = zip(gains, candidates, strict=True)
        ranked = sorted(pairs, key=lambda item: (-item[0], item[1].piece))
        useful = (candidate for gain, candidate in ranked if gain > 0)
        return choose(useful, occurrences(ids, entries), number)

    def neighbours(
        self,
        entries: list[bytes],
        ids: NDArray[Any],
        offsets: NDArray[np.int64],
        number: int,
        allowed: Callable[[bytes], bool],
    ) -> Iterable[Candidate]:
        """Return the concatenations of frequent pairs: candidates for `number` new entries.

        Args:
            entries: the vocabulary.
            ids: [tokens] of the text.
            offsets: [texts + 1], where each text begins in `ids`.
            number: number of entries to add; there are several candidates for each.
            allowed: whether a byte string may be an entry.
        """
        looked_at = max(MIN_CANDIDATES, CANDIDATES_PER_ENTRY * number)
        pairs = count_pairs(ids, offsets, looked_at, self.threads)
        return concatenations(entries, pairs, allowed)

    def marginal_costs(self, entries: list[bytes], used: int, most_bytes: int) -> Changes:
        """Measure adding each entry from `used` on; where all are used, removing each."""
        trie = EntryTrie(*join(entries))
        uses, deltas = np.zeros((2, len(entries)), np.int64)
        tokens = text_bytes = 0
        for texts in self.texts.blocks(most_bytes):
            measured = trie.marginal_costs(used, used == len(entries), *texts, self.threads)
            uses += measured[0]
            deltas += measured[1]
            tokens += measured[2]
            text_bytes += int(texts[1][-1])
        return Changes(uses.tolist(), deltas.tolist(), tokens, text_bytes)

    def count_tokens(self, entries: list[bytes], most_bytes: int) -> tuple[int, int]:
        """Return the number of tokens of about `most_bytes` of text, and its bytes."""
        tokens = text_bytes = 0
        for texts in self.texts.blocks(most_bytes):
            tokens += len(encode(entries, texts, self.threads)[0])
            text_bytes += int(texts[1][-1])
        return tokens, text_bytes

    def report_round(self, entries: list[bytes], text_bytes: int, tokens: int) -> None:
        """Report a round and the number of tokens after it."""
        self.round = min(self.round + 1, self.rounds)
        self.report(
            TrainingProgress(self.round, self.rounds, len(entries), text_bytes / max(tokens, 1))
        )


def discounted(changes: Changes) -> list[float]:
    """Return the expected changes in tokens elsewhere: less by one use of each entry.

    One use was seen because the entry was chosen for it. An entry of few uses that each save much
    is often a peculiarity of the text measured.

    >>> discounted(Changes([0, 1, 4], [0, 9, 8], 100, 300))
    [0.0, 0.0, 6.0]
    """
    pairs = zip(changes.uses, changes.tokens_more, strict=True)
    return [delta * (1 - 1 / max(uses, 1)) for uses, delta in pairs]


def in_order(entries: Iterable[bytes]) -> list[bytes]:
    """Sort entries: the single bytes first, then the others by bytes."""
    return sorted(entries, key=lambda entry: (len(entry) > 1, entry))


def occurrences(ids: NDArray[Any], entries: Sequence[bytes]) -> list[int]:
    """Count each of the ids [tokens]."""
    counts: list[int] = np.bincount(ids, minlength=len(entries)).tolist()
    return counts


def encode(entries: Sequence[bytes], texts: Buffer, threads: int) -> Buffer:
    """Encode with a vocabulary whose ids are the ranks of its entries."""
    matcher = Matcher(*join(entries), np.arange(len(entries), dtype=np.uint32))
    return matcher.encode(*texts, threads, len(entries) > 1 << 16)
