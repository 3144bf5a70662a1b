"""Mixes a network, counts, a cache and long repeats into one distribution for each next token.

First the network, counts that began with training data and a floor are mixed; over that mean lie
the counts of what was read alone (the cache) and hints from long repeats; a second mixture has the
last word. All weights come from scores of earlier tokens.

There are two doors. `score` takes tokens that are known and asks each expert for these alone;
`distribution` gives all ids at one place. The numbers are the same to the last bit where no network
takes part or its rows are the same, so a coder that calls `distribution` before and `score` after
each token, as coding and as decoding, codes with what was scored.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..._counting import Mixture, Repeats
from .context_model import ContextModel, plain_ids
from .gate import SETS_PER_LENGTH, trust_in_counts, weight_sets
from .single_token import Numbers, lifted, tilted

NO_HINT = (1 << 32) - 1
# Of a cache's counts: all but little of what was seen once or twice, and weights by length beside.
CACHE_DISCOUNTS = np.array([[0.8, 1.0, 1.2, w] for w in (1e9, 300.0, 30.0, 6.0, 2.0, 2.0)])


@dataclass(frozen=True, slots=True, kw_only=True)
class MixSettings:
    """Which experts there are, and how their weights learn."""

    network: bool = False
    """Whether rows of a network are given."""
    lengths: tuple[int, ...] = (8,)
    """Counts of contexts up to each of these lengths are experts: 0 unigrams, 1 bigrams …"""
    repeats: tuple[int, ...] = (16, 20, 24, 32, 48)
    """Lengths of contexts whose last occurrence gives a hint."""
    tilt: float = 2.0
    """Strength of the tilt of the network toward a hint that is certain."""
    slowest: float = 0.01
    """The least rate at which weights learn."""
    share: float = 1e-5
    """The part of all weights that goes back to the first ones with each token."""


@dataclass(frozen=True, slots=True)
class MixedScores:
    """What a predictor gave n tokens."""

    mixed: Numbers
    """[n]: the probabilities that count."""
    experts: dict[str, Numbers]
    """[n] each: what single experts gave."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known before a token, [n] or [1] each."""

    lengths: NDArray[np.uint32]
    hints: NDArray[np.uint32]
    trusts: Numbers
    entropies: Numbers | None


class Predictor:
    """Experts and the weights they have earned."""

    def __init__(self, counts: ContextModel, settings: MixSettings | None = None) -> None:
        """Begin to mix; `counts` may have learned training data, and learns on."""
        self.settings = settings or MixSettings()
        self.vocab_size = counts.vocab_size
        self._counts = counts
        self._cache = ContextModel(
            counts.vocab_size, longest=5, shortest=1, discounts=CACHE_DISCOUNTS
        )
        self._repeats = Repeats(counts.vocab_size, np.array(self.settings.repeats, np.uint32))
        sets = SETS_PER_LENGTH * (counts.longest + 1)
        self._first = self._mixture(
            sets, len(self.settings.lengths) + 1 + 3 * self.settings.network
        )
        self._second = self._mixture(sets, 3)

    def score(
        self,
        ids: NDArray[np.integer],
        network: Numbers | None = None,
        entropies: Numbers | None = None,
    ) -> MixedScores:
        """Return what ids [n] were given; each is learned after it is scored.

        Args:
            ids: the next tokens.
            network: [n, vocab_size], the network's distributions, where one takes part.
            entropies: [n] of them, in nats, before any adjustment.
        """
        self._check(network, entropies)
        targets = plain_ids(ids)
        hints, kinds, trusts = self._repeats.read(targets, True)
        floor = np.full(len(targets), 1 / self.vocab_size)
        counts = self._counts.score(targets, floor)
        place = _Place(counts.lengths, hints, np.where(kinds == NO_HINT, 0, trusts), entropies)
        columns = [counts.probabilities[:, k] for k in self.settings.lengths]
        p = p_hints = None
        if network is not None:
            rows = np.arange(len(targets))
            known = hints != NO_HINT
            p = network[rows, targets]
            p_hints = np.where(known, network[rows, np.where(known, hints, 0)], 0.0)
        experts = self._experts(targets, place, [*columns, floor], p, p_hints)
        sets = weight_sets(place.lengths, entropies, self.vocab_size)
        mean = self._first.score(_table(experts), sets, True)
        cached = self._cache.score(targets, mean).probabilities[:, -1]
        over = {"mean": mean, "+ cache": cached, "+ repeats": _lift(cached, targets, place)}
        return MixedScores(self._second.score(_table(over), sets, True), experts | over)

    def distribution(self, network: Numbers | None = None, entropy: float | None = None) -> Numbers:
        """Return [vocab_size]: what each id would be given as the next token.

        `network` [vocab_size] and its entropy are what `score` takes for this place.
        """
        entropies = None if entropy is None else np.array([entropy])
        self._check(network, entropies)
        ids = np.arange(self.vocab_size, dtype=np.uint32)
        hint, kind, trust = self._repeats.hint()
        trusts = np.array([0.0 if kind == NO_HINT else trust])
        lengths = self._counts.describe().lengths
        place = _Place(lengths, np.array([hint], np.uint32), trusts, entropies)
        floor = np.full(self.vocab_size, 1 / self.vocab_size)
        every = self._counts.distributions(floor)
        columns = [every[k] for k in self.settings.lengths]
        p_hints = None
        if network is not None:
            p_hints = network[[hint]] if kind != NO_HINT else np.zeros(1)
        experts = self._experts(ids, place, [*columns, floor], network, p_hints)
        (chosen,) = weight_sets(lengths, entropies, self.vocab_size).tolist()
        mean = _mean(self._first.weights(chosen), experts)
        cached = self._cache.distributions(mean)[-1]
        over = {"mean": mean, "+ cache": cached, "+ repeats": _lift(cached, ids, place)}
        return _mean(self._second.weights(chosen), over)

    def _experts(
        self,
        ids: NDArray[np.unsignedinteger],
        place: _Place,
        columns: list[Numbers],
        network: Numbers | None,
        p_hints: Numbers | None,
    ) -> dict[str, Numbers]:
        names = [*(f"contexts to {k}" for k in self.settings.lengths), "floor"]
        experts = dict(zip(names, columns, strict=True))
        if network is None or p_hints is None or place.entropies is None:
            return experts
        counts = columns[-2]
        gate = trust_in_counts(place.lengths, place.entropies, self._counts.longest)
        strengths = self.settings.tilt * place.trusts
        return {
            "network": network,
            "tilted": tilted(network, ids, place.hints, p_hints, strengths),
            "gated": (1 - gate) * network + gate * counts,
            **experts,
        }

    def _mixture(self, sets: int, experts: int) -> Mixture:
        first = np.full(experts, 1 / experts)
        return Mixture(sets, first, self.settings.slowest, self.settings.share)

    def _check(self, network: Numbers | None, entropies: Numbers | None) -> None:
        wanted = self.settings.network
        if (network is not None) != wanted or (entropies is not None) != wanted:
            raise ValueError(
                f"the network's rows and entropies are {'' if wanted else 'not '}wanted"
            )


def _lift(p: Numbers, ids: NDArray[np.unsignedinteger], place: _Place) -> Numbers:
    return lifted(p, ids, place.hints, place.trusts)


def _table(experts: dict[str, Numbers]) -> Numbers:
    return np.ascontiguousarray(np.stack(list(experts.values()), axis=1))


def _mean(weights: Numbers, experts: dict[str, Numbers]) -> Numbers:
    """Return the weighted mean, added in the order in which `Mixture` adds."""
    mean = np.zeros(len(next(iter(experts.values()))))
    for weight, p in zip(weights, experts.values(), strict=True):
        mean += weight * p
    return mean
