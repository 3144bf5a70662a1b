"""The published rule against its plain definition, and what is wrong with it."""

import math

import numpy as np
import pytest

from spike_lm.model.scoring.published_rule import (
    ORDERS,
    PRIMES,
    RECORD_TOKENS,
    PublishedRule,
    gate_of,
    on_random_tokens,
)

VOCAB = 12


class PlainRule:
    """The rule token by token, with counters in dictionaries."""

    def __init__(self, rule, chunk, batch, first):
        self.rule, self.chunk, self.batch, self.first = rule, chunk, batch, first
        self.slots = 1 << max(0, int(math.log2(max(1, len(rule.ids) // 14))))

    def scores(self):
        ids, found = self.rule.ids.tolist(), []
        counters, grams = {}, {}
        weights = [2.0, 0, 0, 0, 0]
        for begin in range(0, len(ids), self.chunk):
            end = min(begin + self.chunk, len(ids))
            for place in range(begin, end):
                if place % self.batch == 0 and place:
                    batch = range(place - self.batch, place)
                    for k in range(5):
                        nats = [-math.log(self.seen_by[j][k]) for j in batch]
                        weights[k] -= 0.1 * sum(nats) / len(nats)
                if place == 0:
                    self.seen_by = {}
                experts = self.experts(ids, place, grams)
                self.seen_by[place] = experts
                shares = [math.exp(w - max(weights)) for w in weights]
                p = self.rule.p[place]
                if begin >= self.first:
                    p = sum(s * e for s, e in zip(shares, experts, strict=True)) / sum(shares)
                found.append(self.blend(ids, place, p, counters))
            for place in range(begin, end):
                self.count(ids, place, counters, grams)
        return found

    def experts(self, ids, place, grams):
        def p(key, more, least):
            total = max(grams.get(key, 0), least)
            return (grams.get((key, ids[place]), 0) + more) / (total + more * VOCAB)

        uni, bi, tri = self.keys(ids, place)
        entropy = math.exp(-self.rule.entropies[place])
        return [self.rule.p[place], p(uni, 0.1, 0), p(bi, 0.1, 0), p(tri, 0.01, 1), entropy]

    def keys(self, ids, place):
        one = ids[place - 1] if place else 0
        two = ids[place - 2] if place > 1 else 0
        return (0,), (1, one), (2, ((36313 * two) ^ (27191 * one)) % 65_536)

    def hashes(self, ids, place, order):
        context = 0
        for k, token in enumerate(ids[place - order + 1 : place]):
            context ^= token * PRIMES[k % 7]
        whole = context ^ (ids[place] * PRIMES[(order - 1) % 7])
        return (order, context % self.slots), (-order, whole % self.slots)

    def blend(self, ids, place, p, counters):
        for order in ORDERS:
            if place < order - 1:
                continue
            context, whole = (counters.get(key, 0) for key in self.hashes(ids, place, order))
            if context and whole:
                gate = float(gate_of(order, self.rule.entropies[place]))
                return (1 - gate) * p + gate * min(whole, context) / context
        return p

    def count(self, ids, place, counters, grams):
        for order in ORDERS:
            if place >= order - 1:
                for key in self.hashes(ids, place, order):
                    counters[key] = counters.get(key, 0) + 1
        for key in self.keys(ids, place):
            grams[key] = grams.get(key, 0) + 1
            grams[key, ids[place]] = grams.get((key, ids[place]), 0) + 1


@pytest.mark.parametrize("tokens", [1, 40, 700])
def test_it_is_what_was_published(tokens, monkeypatch):
    # Chunks of more than a token, as a text of the record's length has them.
    record, sizes = 25_000, {"CHUNK": 2_000, "BATCH": 500, "FIRST": 4_000}
    monkeypatch.setattr("spike_lm.model.scoring.published_rule.RECORD_TOKENS", record)
    for name, size in sizes.items():
        monkeypatch.setattr(f"spike_lm.model.scoring.published_rule.RECORD_{name}", size)
    generator = np.random.default_rng(tokens)
    rule = PublishedRule(
        generator.zipf(1.5, tokens).clip(max=VOCAB) - 1,
        generator.uniform(0.01, 0.9, tokens),
        generator.uniform(0.1, 2.4, tokens),
        VOCAB,
    )
    plain = PlainRule(rule, *(max(1, round(s * tokens / record)) for s in sizes.values()))
    assert np.allclose(rule.scores(), plain.scores(), rtol=1e-9)


def test_gates_are_those_of_the_record():
    assert RECORD_TOKENS // 14 >= 1 << 22
    entropies = np.array([0.0, 2.0, 5.0, 100.0])
    assert gate_of(2, entropies) == pytest.approx(
        [0.3 * (0.05 + 0.9 / (1 + math.exp(2 * (5 - h)))) for h in entropies]
    )
    assert gate_of(9, entropies).max() == 0.99


def test_its_numbers_are_no_distribution():
    verdict = on_random_tokens(30_000, 256)
    assert verdict.bits < 2 < verdict.true_bits == 8
    assert verdict.total > 100
