"""Published rule of a record (0.2071 bits per byte): its result is no probability.

A network's probability of the next token is mixed with those of four more experts, and then with a
ratio of two counters. A hash of the context picks one counter; a hash of the context and of the
very token that is scored picks the other (docs/why-0.2071.md). Nothing here is a distribution, so
nothing here may be called bits per byte.

The record read 62,021,632 tokens in chunks of 131,072, with tables of 2²² counters. Chunks, batches
and tables are scaled to the text, so that counters are as full as they were.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .context_mixing.logit_calibration import LogitCalibration
from .context_mixing.tilt import Probabilities
from .logits import TokenLogits
from .sliding_windows import NO_END

Ids = NDArray[np.int64]
ORDERS = range(9, 1, -1)
PRIMES = (36313, 27191, 51647, 81929, 131071, 196613, 262147)
RECORD_TOKENS, RECORD_CHUNK, RECORD_BATCH, RECORD_FIRST = 62_021_632, 131_072, 2_048, 10_000
TOKENS_A_SLOT = 14
ROWS_OF_TRIGRAMS = 65_536


@dataclass(frozen=True, slots=True)
class PublishedRule:
    """Published rule for one text: its ids, and the network's probability and entropy of each."""

    ids: Ids
    """[n]."""
    p: Probabilities
    """[n]: the network's probability of each, with temperature and calibration."""
    entropies: Probabilities
    """[n]: of the network's distributions, in nats."""
    vocab_size: int

    def scores(self) -> Probabilities:
        """Return the numbers [n] that the rule uses as probabilities."""
        every = np.arange(len(self.ids))
        return self.numbers(every, self.ids, self.p)

    def numbers(self, places: Ids, tokens: Ids, p: Probabilities) -> Probabilities:
        """Return the numbers [m] that the rule uses as probabilities of other tokens.

        Args:
            places: [m], of the text.
            tokens: [m], the ids at these places.
            p: [m], their probabilities by the network.
        """
        mixed = self._mixed(places, tokens, p)
        left = np.ones(len(places), bool)
        for order in ORDERS:
            contexts, whole = self._counted(order, places, tokens)
            # The fault: whether an order counts depends on the scored token itself.
            taken = left & (contexts > 0) & (whole > 0)
            ratio = np.minimum(whole, contexts) / np.maximum(contexts, 1)
            gate = gate_of(order, self.entropies[places])
            mixed = np.where(taken, (1 - gate) * mixed + gate * ratio, mixed)
            left &= ~taken
        return mixed

    def _counted(self, order: int, places: Ids, tokens: Ids) -> tuple[Ids, Ids]:
        slots = 1 << max(0, int(math.log2(max(1, len(self.ids) // TOKENS_A_SLOT))))
        hashes, last = self._hashes(order), PRIMES[(order - 1) % len(PRIMES)]
        contexts = hashes % slots
        whole = (hashes ^ (self.ids * last)) % slots
        asked = (hashes[places] ^ (tokens * last)) % slots
        before = self._chunk_begins(places)
        known = places >= order - 1
        begin = order - 1  # tokens too near the beginning were not counted
        found = (
            np.where(known, seen(keys[begin:], wanted, np.maximum(0, before - begin)), 0)
            for keys, wanted in ((contexts, contexts[places]), (whole, asked))
        )
        return next(found), next(found)

    def _hashes(self, order: int) -> Ids:
        """Return the hash of the `order` − 1 tokens before each place."""
        found = np.zeros(len(self.ids), np.int64)
        for k in range(order - 1):
            back = order - 1 - k
            found[back:] ^= self.ids[:-back] * PRIMES[k % len(PRIMES)]
        return found

    def _mixed(self, places: Ids, tokens: Ids, p: Probabilities) -> Probabilities:
        """Return the mixture of five experts, of which the last one is no distribution."""
        every = np.arange(len(self.ids))
        nats = -np.log(np.stack(self._experts(every, self.ids, self.p), axis=1))
        batch = self._scaled(RECORD_BATCH)
        sums = np.add.reduceat(nats, np.arange(0, len(nats), batch), axis=0)
        sizes = np.diff(np.append(np.arange(0, len(nats), batch), len(nats)))
        learned = np.cumsum(-0.1 * sums / sizes[:, None], axis=0)
        weights = np.array([2.0, 0, 0, 0, 0]) + np.vstack([np.zeros(5), learned[:-1]])
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = sum(
            w * expert
            for w, expert in zip(
                weights[places // batch].T, self._experts(places, tokens, p), strict=True
            )
        )
        return np.where(self._chunk_begins(places) >= self._scaled(RECORD_FIRST), mean, p)

    def _experts(self, places: Ids, tokens: Ids, p: Probabilities) -> list[Probabilities]:
        size, before = self.vocab_size, self._chunk_begins(places)
        one = np.concatenate([[0], self.ids[:-1]])
        two = np.concatenate([[0], one[:-1]])
        rows = ((36313 * two) ^ (27191 * one)) % ROWS_OF_TRIGRAMS

        def counts(row: Ids, more: float, least: int) -> Probabilities:
            own = seen(row * size + self.ids, row[places] * size + tokens, before)
            total = np.maximum(seen(row, row[places], before), least)
            return np.asarray((own + more) / (total + more * size))

        return [
            p,
            counts(np.zeros_like(one), 0.1, 0),
            counts(one, 0.1, 0),
            counts(rows, 0.01, 1),
            np.exp(-self.entropies[places]),
        ]

    def _chunk_begins(self, places: Ids) -> Ids:
        chunk = self._scaled(RECORD_CHUNK)
        return places // chunk * chunk

    def _scaled(self, tokens: int) -> int:
        return max(1, round(tokens * len(self.ids) / RECORD_TOKENS))


def gate_of(order: int, entropies: Probabilities) -> Probabilities:
    """Return the weight of the ratio of an order, by the network's entropies [n]."""
    share = (order - 2) / 7
    rising = 0.05 + 0.9 / (1 + np.exp(-2 * (entropies - (5 - 3 * share))))
    return np.asarray(np.clip(rising * (0.3 + 1.7 * share), 0, 0.99))


def seen(keys: Ids, asked: Ids, before: Ids) -> Ids:
    """Return how often each key of `asked` [m] is among the first `before` [m] keys [n].

    >>> seen(np.array([5, 7, 5, 5]), np.array([5, 5, 7, 9]), np.array([3, 4, 1, 4])).tolist()
    [2, 3, 0, 0]
    """
    size = len(keys) + 1
    places = np.sort(keys * size + np.arange(len(keys)))
    return np.searchsorted(places, asked * size + before) - np.searchsorted(places, asked * size)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomVerdict:
    """Result of the rule on random tokens, which no code stores in less than log₂ V bits."""

    bits: float
    """A token, by the rule."""
    true_bits: float
    """log₂ V."""
    total: float
    """Sum of the rule's numbers of all V tokens, at the end of the text; a distribution has 1."""


def on_random_tokens(tokens: int, vocab_size: int, places: int = 16) -> RandomVerdict:
    """Apply the rule to uniformly random tokens that the network gives 1 / V each."""
    ids = np.random.default_rng(0).integers(0, vocab_size, tokens)
    p, entropies = np.full(tokens, 1 / vocab_size), np.full(tokens, math.log(vocab_size))
    rule = PublishedRule(ids, p, entropies, vocab_size)
    bits = -np.log2(rule.scores()).mean()
    chosen = np.repeat(np.arange(max(0, tokens - places), tokens), vocab_size)
    every = np.tile(np.arange(vocab_size), len(chosen) // vocab_size)
    total = rule.numbers(chosen, every, np.full(len(every), 1 / vocab_size)).sum()
    return RandomVerdict(
        bits=float(bits), true_bits=math.log2(vocab_size), total=float(total) / min(tokens, places)
    )


def network_numbers(rows: Iterable[TokenLogits], vocab_size: int) -> tuple[PublishedRule, int]:
    """Return the rule for a text from a network's logits, and the text's bytes."""
    adjustment = LogitCalibration(vocab_size)
    ids, p, entropies, n_bytes = [], [], [], 0
    for part in rows:
        assert part.logits is not None  # noqa: S101 — rows of windows have logits
        found = adjustment.read(part.logits, part.ids[:, None], part.ids)
        ids.append(part.ids)
        p.append(found.last[:, 0])
        entropies.append(found.entropies)
        n_bytes += int(part.ends[part.ends != NO_END].sum())
    rule = PublishedRule(
        np.concatenate(ids), np.concatenate(p), np.concatenate(entropies), vocab_size
    )
    return rule, n_bytes
