"""Context-mixing predictor: a network, counts, a cache and long repeats, stage by stage.

Each stage is a prediction of its own and builds on the one before: the network, with a temperature,
with a learned bias, mixed with counts by a gate, lifted toward the token after a long repeat. The
mixture is the last stage. First the experts are mixed; on that mean build the counts of the text
read so far alone (the cache) and predictions of a match model; a second mixture weighs these. All
weights come from scores of earlier tokens.

There are two entry points. `score` takes known tokens and evaluates each expert for these alone;
`distributions` returns all ids at one place. Both agree to the last bit where no network takes part
or its logits are the same. So a coder or decoder that calls `distributions` before and `score`
after each token uses the scored probabilities.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..._counting import MatchModel, Mixer
from ...config.mixing import PredictorSettings
from .gate import SETS_PER_LENGTH, gate_weight, weight_sets
from .logit_calibration import LogitCalibration, LogitCalibrationConfig, NetworkScores
from .ngram_model import NgramModel, plain_ids
from .tilt import Probabilities, mix_point_mass, tilt

NO_MATCH = (1 << 32) - 1
Ids = NDArray[np.unsignedinteger]
# Discounts of the cache's counts: nearly all of counts 1 and 2; and weights of the base, by length.
CACHE_DISCOUNTS = np.array([[0.8, 1.0, 1.2, w] for w in (1e9, 300.0, 30.0, 6.0, 2.0, 2.0)])


@dataclass(frozen=True, slots=True)
class _Place:
    """Context data known before a token, [n] or [1] each."""

    lengths: NDArray[np.uint32]
    predicted_ids: NDArray[np.uint32]
    confidences: Probabilities
    sets: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Given:
    """Probabilities below the mixture, of n ids at their places, or of all ids at one."""

    ids: Ids
    place: _Place
    network: NetworkScores | None
    """[n, 2]: of the ids and of the match model's; [1, V] of all ids."""
    p: Probabilities | None
    """[n]: of the network with all calibrations."""
    p_predicted: Probabilities | None
    """[n] or [1]: the same of the match model's predicted ids, 0 where there is none."""
    counts: list[Probabilities]
    """[n] each: by the lengths of the settings; with a network, also the longest ones over it."""


class Predictor:
    """Context-mixing predictor: its parts and their learned state."""

    def __init__(
        self, vocab_size: int, settings: PredictorSettings, counts: NgramModel | None = None
    ) -> None:
        """Initialise; `counts` may have learned training data, and continues learning."""
        self.settings, self.vocab_size = settings, vocab_size
        self.seconds = dict.fromkeys(settings.stages, 0.0)
        """Seconds that `score` has spent on each stage."""
        max_context = settings.lengths[-1]
        self._network = LogitCalibration(
            vocab_size,
            LogitCalibrationConfig(
                temperature=settings.has("temperature"), bias=settings.has("calibration")
            ),
        )
        self._counts: NgramModel | None = None
        if settings.has("ngram"):
            self._counts = counts or NgramModel(vocab_size, max_context=max_context)
            if self._counts.max_context != max_context or self._counts.vocab_size != vocab_size:
                raise ValueError(
                    "the counts have other contexts or another vocabulary; count again"
                )
        self._cache = NgramModel(
            vocab_size, max_context=5, min_context=1, discounts=CACHE_DISCOUNTS
        )
        self._match_model = MatchModel(vocab_size, np.array(settings.repeats, np.uint32))
        sets = SETS_PER_LENGTH * (max_context + 1)
        first = 1 + settings.network * (1 + settings.has("match") + settings.has("ngram"))
        first += (len(settings.lengths) + settings.network) * settings.has("ngram")
        self._first = self._mixture(sets, first)
        second = 1 + settings.has("ngram") + settings.has("match")
        self._second = self._mixture(sets, second)

    def read_separator(self, eos_id: int) -> None:
        """Read a separator as the context of the next token; it is learned, not scored."""
        if self._counts is not None:
            self._counts.restart()
        ids = np.array([eos_id], np.uint32)
        for counts in (self._counts, self._cache):
            if counts is not None:
                counts.learn(ids)
        self._match_model.predict(ids, True)

    def score(
        self, ids: NDArray[np.integer], logits: Tensor | None = None
    ) -> dict[str, Probabilities]:
        """Return by stage the probabilities [n] of ids [n]; each id is learned after it is scored.

        Args:
            ids: the next tokens.
            logits: [n, V] of the network that predict them, on the CPU, where one takes part.
        """
        self._check(logits)
        targets = plain_ids(ids)
        settings, found, clock = self.settings, {}, _Clock(self.seconds)
        predicted_ids, confidences = self._matches(targets)
        clock.stop("match")
        network = p = p_predicted = None
        entropies = None
        if logits is not None:
            known = predicted_ids != NO_MATCH
            target_ids = np.stack([targets, np.where(known, predicted_ids, 0)], axis=1)
            network = self._network.read(logits, target_ids, targets)
            p, p_predicted = network.last[:, 0], np.where(known, network.last[:, 1], 0.0)
            entropies = network.entropies
            found = {name: stage[:, 0] for name, stage in network.stages.items()}
        clock.stop(list(found)[-1] if found else "match")
        lengths, columns = self._counted(targets, p)
        place = _Place(
            lengths, predicted_ids, confidences, weight_sets(lengths, entropies, self.vocab_size)
        )
        given = _Given(targets, place, network, p, p_predicted, columns)
        found |= self._stages(
            given,
            lambda experts: self._first.score(_table(experts), place.sets, True),
            lambda mean: self._cache.score(targets, mean).probabilities[:, -1],
            lambda experts: self._second.score(_table(experts), place.sets, True),
            clock,
        )
        return {name: found[name] for name in settings.stages}

    def distributions(self, logits: Tensor | None = None) -> dict[str, Probabilities]:
        """Return by stage [V]: the probability of each id as the next token.

        `logits` [V] are those that `score` takes for this place.
        """
        self._check(logits)
        ids = np.arange(self.vocab_size, dtype=np.uint32)
        predicted, confidence = NO_MATCH, 0.0
        if self.settings.has("match"):
            predicted, index, confidence = self._match_model.predict_next()
            confidence = 0.0 if index == NO_MATCH else confidence
        predicted_ids, confidences = np.array([predicted], np.uint32), np.array([confidence])
        network = p = p_predicted = entropies = None
        found: dict[str, Probabilities] = {}
        if logits is not None:
            network = self._network.peek(logits[None], ids[None])
            p, entropies = network.last[0], network.entropies
            p_predicted = np.zeros(1) if predicted == NO_MATCH else p[predicted_ids]
            found = {name: stage[0] for name, stage in network.stages.items()}
        lengths, columns = np.zeros(1, np.uint32), []
        if self._counts is not None:
            lengths = self._counts.longest_context().lengths
            every = self._counts.distributions(np.full(self.vocab_size, 1 / self.vocab_size))
            columns = [every[k] for k in self.settings.lengths]
            columns += [] if p is None else [self._counts.over(p)]
        place = _Place(
            lengths, predicted_ids, confidences, weight_sets(lengths, entropies, self.vocab_size)
        )
        (chosen,) = place.sets.tolist()
        found |= self._stages(
            _Given(ids, place, network, p, p_predicted, columns),
            lambda experts: _mean(self._first.weights(chosen), experts),
            lambda mean: self._cache.distributions(mean)[-1],
            lambda experts: _mean(self._second.weights(chosen), experts),
            _Clock({}),
        )
        return {name: found[name] for name in self.settings.stages}

    def _matches(self, targets: Ids) -> tuple[NDArray[np.uint32], Probabilities]:
        if not self.settings.has("match"):
            return np.full(len(targets), NO_MATCH, np.uint32), np.zeros(len(targets))
        predicted_ids, indices, confidences = self._match_model.predict(targets, True)
        return predicted_ids, np.where(indices == NO_MATCH, 0.0, confidences)

    def _counted(
        self, targets: Ids, network: Probabilities | None
    ) -> tuple[NDArray[np.uint32], list[Probabilities]]:
        if self._counts is None:
            return np.zeros(len(targets), np.uint32), []
        counts = self._counts.score(targets, np.full(len(targets), 1 / self.vocab_size), network)
        columns = [counts.probabilities[:, k] for k in self.settings.lengths]
        return counts.lengths, [*columns, *([] if network is None else [counts.over])]

    def _stages(
        self,
        given: _Given,
        mix_first: Callable[[dict[str, Probabilities]], Probabilities],
        lay_cache: Callable[[Probabilities], Probabilities],
        mix_second: Callable[[dict[str, Probabilities]], Probabilities],
        clock: "_Clock",
    ) -> dict[str, Probabilities]:
        """Return the stages above the network's; the same operations for both entry points."""
        settings, place, found = self.settings, given.place, {}
        floor = np.full(len(given.ids), 1 / self.vocab_size)
        last = floor if given.p is None else given.p
        gated = None
        if settings.has("ngram"):
            counts = given.counts[len(settings.lengths) - 1]
            gated = counts
            if given.network is not None:
                gate = gate_weight(place.lengths, given.network.entropies, settings.lengths[-1])
                gated = (1 - gate) * last + gate * counts
            found["ngram"] = last = gated
            clock.stop("ngram")
        if settings.has("match"):
            found["match"] = _lift(last, given.ids, place)
            clock.stop("match")
        if settings.has("mixture"):
            mean = mix_first(self._experts(given, gated, floor))
            over = {"mean": mean}
            if settings.has("ngram"):
                over["cache"] = lay_cache(mean)
            if settings.has("match"):
                over["repeats"] = _lift(list(over.values())[-1], given.ids, place)
            found["mixture"] = mix_second(over)
            clock.stop("mixture")
        return found

    def _experts(
        self, given: _Given, gated: Probabilities | None, floor: Probabilities
    ) -> dict[str, Probabilities]:
        experts: dict[str, Probabilities] = {}
        if given.p is not None and given.p_predicted is not None:
            experts["network"] = given.p
            if self.settings.has("match"):
                strengths = self.settings.tilt * given.place.confidences
                experts["tilted"] = tilt(
                    given.p, given.ids, given.place.predicted_ids, given.p_predicted, strengths
                )
            if gated is not None:
                experts["gated"] = gated
        names = [*(f"contexts to {k}" for k in self.settings.lengths), "contexts over network"]
        experts |= dict(zip(names, given.counts, strict=False))
        return experts | {"floor": floor}

    def _mixture(self, sets: int, experts: int) -> Mixer:
        first = np.full(experts, 1 / experts)
        return Mixer(sets, first, self.settings.slowest, self.settings.share)

    def _check(self, logits: Tensor | None) -> None:
        if (logits is not None) != self.settings.network:
            raise ValueError(
                "the network's logits are missing; pass them"
                if self.settings.network
                else "the predictor has no network; pass no logits"
            )


class _Clock:
    """Clock that adds the time since the last stop to a stage's."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._last = seconds, time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        if stage in self._seconds:
            self._seconds[stage] += now - self._last
        self._last = now


def _lift(p: Probabilities, ids: Ids, place: _Place) -> Probabilities:
    return mix_point_mass(p, ids, place.predicted_ids, place.confidences)


def _table(experts: dict[str, Probabilities]) -> Probabilities:
    return np.ascontiguousarray(np.stack(list(experts.values()), axis=1))


def _mean(weights: Probabilities, experts: dict[str, Probabilities]) -> Probabilities:
    """Return the weighted mean, added in the order in which `Mixer` adds."""
    mean = np.zeros(len(next(iter(experts.values()))))
    for weight, p in zip(weights, experts.values(), strict=True):
        mean += weight * p
    return mean
