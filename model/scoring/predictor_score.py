"""Predictor score of text, stage by stage; refused where the predictions are no distributions.

While scoring, the predictor computes whole distributions at places spread over the text. Each must
add up to 1 and give the next token the probability that was scored. After the text the same
predictor reads random tokens, which no code can store in less than log₂ V bits each.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from spiketok.errors import SpikeError

from ..families.language_model import LanguageModel
from .context_mixing.predictor import Predictor
from .logits import Documents, TokenLogits, piece_of, stream_logits, uniform_rows
from .sliding_windows import NO_END, WindowConfig
from .ttt.learner import TTTLearner

# Distributions to check, and how far from 1 their sums may be.
PLACES, CLOSE = 1024, 1e-6
# Random tokens after the text, and how many bits each may stay below log₂ V.
RANDOM_TOKENS, SLACK = 4096, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Stage score: of the predictor's parts up to one of them."""

    nats: float
    """Sum over all tokens, separators included."""
    nats_separators: float
    """Part of `nats` for the final separators."""
    random_bits: float
    """Bits per uniformly random token."""
    seconds: float
    """Time of this part alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorScore:
    """Score of a text under a predictor."""

    stages: dict[str, Stage]
    """By the last part added, from the first; the last stage is the whole predictor."""
    tokens: int
    """Tokens scored, separators included."""
    bytes: int
    """Bytes of the original text."""
    documents: int
    vocab_size: int
    places: int
    """Distributions that were checked."""
    worst_sum: float
    """The greatest distance of their sums from 1."""

    def faults(self) -> list[str]:
        """Return the reasons why these are no valid scores; empty if they are."""
        faults = []
        if not self.worst_sum < CLOSE:
            faults.append(f"the predictions do not add up to 1 but are {self.worst_sum:.2g} off")
        least = math.log2(self.vocab_size)
        for name, stage in self.stages.items():
            if not stage.random_bits >= least - SLACK:
                faults.append(
                    f"random tokens of {least:.2f} bits each got {stage.random_bits:.2f} ({name})"
                )
        return faults


def score_with(
    predictor: Predictor,
    model: LanguageModel | None,
    documents: Documents,
    windows: WindowConfig,
    *,
    eos_id: int,
    learner: TTTLearner | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> PredictorScore:
    """Score documents, in order, with one predictor that learns from each of them.

    Args:
        predictor: in the context of a separator; its state changes.
        model: the network; None where none takes part.
        documents: pairs of ids, without any separator, and the bytes of the original text.
        windows: the windows in which the network reads them.
        eos_id: the id that ends each document.
        learner: trains the network on scored text.
        report: called with the tokens scored so far.

    Raises:
        SpikeError: the predictor gives no valid score; or as for `score_documents`.
    """
    total = sum(len(ids) + 1 for ids, _ in documents)

    def rows_of(texts: Documents, learner: TTTLearner | None = None) -> Iterator[TokenLogits]:
        if model is None:
            size = min(1 << 16, max(256, total // PLACES))
            return uniform_rows(texts, eos_id=eos_id, vocab_size=predictor.vocab_size, size=size)
        return stream_logits(model, texts, windows, eos_id=eos_id, learner=learner)

    tally = _Tally(predictor, max(1, total // PLACES))
    tally.add_all(rows_of(documents, learner), report)
    seconds = dict(predictor.seconds)
    if model is not None:
        seconds["network"] += tally.seconds_of_rows
    random_bits = _random_bits(predictor, rows_of)
    score = PredictorScore(
        stages={
            name: Stage(
                nats=tally.nats[name],
                nats_separators=tally.nats_separators[name],
                random_bits=random_bits[name],
                seconds=seconds[name],
            )
            for name in predictor.settings.stages
        },
        tokens=tally.tokens,
        bytes=tally.bytes,
        documents=tally.documents,
        vocab_size=predictor.vocab_size,
        places=tally.places,
        worst_sum=tally.worst_sum,
    )
    if faults := score.faults():
        raise SpikeError(f"no score: {', '.join(faults)}; use a predictor of probabilities")
    return score


class _Tally:
    """Sums over the tokens scored so far, and the checks of distributions."""

    def __init__(self, predictor: Predictor, tokens_between: int) -> None:
        self.nats = dict.fromkeys(predictor.settings.stages, 0.0)
        self.nats_separators = dict(self.nats)
        self.tokens = self.bytes = self.documents = self.places = 0
        self.worst_sum = self.seconds_of_rows = 0.0
        self._predictor, self._between, self._next = predictor, tokens_between, 0

    def add_all(self, rows: Iterator[TokenLogits], report: Callable[[int], None]) -> None:
        start = time.perf_counter()
        for part in rows:
            self.seconds_of_rows += time.perf_counter() - start
            for first in range(0, len(part.ids), self._between):
                self._add(piece_of(part, first, first + self._between))
            report(self.tokens)
            start = time.perf_counter()

    def _add(self, rows: TokenLogits) -> None:
        every = None
        if self.tokens >= self._next:
            first = None if rows.logits is None else rows.logits[0]
            every = self._predictor.distributions(first)
            self._next += self._between
            self.places += 1
        found = self._predictor.score(rows.ids, rows.logits)
        ended = np.flatnonzero(rows.ends != NO_END)
        for name, p in found.items():
            nats = -np.log(p)
            self.nats[name] += float(nats.sum())
            self.nats_separators[name] += float(nats[ended].sum())
            if every is not None:
                off = abs(float(every[name].sum()) - 1)
                # The next token must be in that sum with the probability that was scored.
                other = abs(float(every[name][rows.ids[0]] / p[0]) - 1)
                self.worst_sum = max(self.worst_sum, off, other)
        self.tokens += len(rows.ids)
        self.bytes += int(rows.ends[ended].sum())
        self.documents += len(ended)


def _random_bits(
    predictor: Predictor, rows_of: Callable[[Documents], Iterator[TokenLogits]]
) -> dict[str, float]:
    random = np.random.default_rng(0).integers(0, predictor.vocab_size, RANDOM_TOKENS)
    bits = dict.fromkeys(predictor.settings.stages, 0.0)
    left = RANDOM_TOKENS
    for rows in rows_of([(random, 0)]):
        for name, p in predictor.score(rows.ids, rows.logits).items():
            bits[name] -= float(np.log2(p[:left]).sum())  # without the separator
        left -= len(rows.ids)
    return {name: sum_of / RANDOM_TOKENS for name, sum_of in bits.items()}
