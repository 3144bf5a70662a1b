"""Logit calibration: a temperature by entropy, and a learned bias by id.

The bias is learned from scored tokens (a record's "online logit calibration"): the logit of an id
grows if it came more often than predicted. It changes every `interval` tokens only, so that scores
do not depend on the number of tokens per call.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spiketok.errors import SpikeError

from ..._counting import calibrated_probabilities
from .tilt import Probabilities

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.9, 1.05
NONE = np.zeros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitCalibrationConfig:
    """Settings of the calibration of logits; the defaults are the record's."""

    temperature: bool = True
    """Whether there is a temperature: 1 − sharpening · (1 − H / ln V), within 0.9 … 1.05."""
    bias: bool = True
    """Whether a bias is learned."""
    sharpening: float = 0.15
    """Sharpening of a certain prediction."""
    decay: float = 0.999
    """Share of older counts kept after an interval."""
    interval: int = 2048
    """Tokens between changes of the bias."""
    bias_after: int = 50_000
    """Tokens before the first bias."""
    max_bias: float = 2.0
    """Largest magnitude of the bias."""


@dataclass(frozen=True, slots=True)
class NetworkScores:
    """Probabilities of the requested ids by a network."""

    stages: dict[str, Probabilities]
    """[n, m] each: `network`, then `temperature` and `calibration` where they are on."""
    entropies: Probabilities
    """[n]: of the distributions before any calibration, in nats."""

    @property
    def last(self) -> Probabilities:
        """Probabilities with all calibrations."""
        return list(self.stages.values())[-1]


class LogitCalibration:
    """Calibration from logits to distributions, with the bias learned so far."""

    def __init__(self, vocab_size: int, settings: LogitCalibrationConfig | None = None) -> None:
        """Initialise without a bias."""
        self.settings = settings or LogitCalibrationConfig()
        self._bias_factors = np.zeros(0, np.float32)
        self._seen, self._expected = np.zeros(vocab_size), np.zeros(vocab_size)
        self._tokens = 0

    def peek(self, logits: Tensor, target_ids: NDArray[np.integer]) -> NetworkScores:
        """Return the probabilities of `target_ids` [n, m] by logits [n, V], on the CPU.

        Raises:
            SpikeError: a logit is not finite.
            ValueError: an id is not in the vocabulary.
        """
        return self._scores(logits, target_ids, NONE)

    def read(
        self, logits: Tensor, target_ids: NDArray[np.integer], ids: NDArray[np.integer]
    ) -> NetworkScores:
        """Return the same for logits that predict ids [n], and learn after each interval.

        Numbers equal those of `peek` at their place. The bias comes from complete intervals only,
        so it does not depend on the division into calls.
        """
        learns = self.settings.bias
        parts: list[NetworkScores] = []
        start = 0
        while start < len(ids) or not parts:
            stop = start + self.settings.interval - self._tokens % self.settings.interval
            expected = self._expected if learns else NONE
            parts.append(self._scores(logits[start:stop], target_ids[start:stop], expected))
            if learns:
                self._learn(ids[start:stop])
            start = stop
        if len(parts) == 1:
            return parts[0]
        return NetworkScores(
            {name: np.concatenate([p.stages[name] for p in parts]) for name in parts[0].stages},
            np.concatenate([part.entropies for part in parts]),
        )

    def _scores(
        self, logits: Tensor, target_ids: NDArray[np.integer], expected: Probabilities
    ) -> NetworkScores:
        try:
            plain, with_temperature, with_bias, entropies = calibrated_probabilities(
                logits.float().contiguous().numpy(),
                np.ascontiguousarray(target_ids, np.uint32),
                self._bias_factors,
                expected,
                use_temperature=self.settings.temperature,
                sharpening=self.settings.sharpening,
                min_temperature=MIN_TEMPERATURE,
                max_temperature=MAX_TEMPERATURE,
                use_bias=self.settings.bias,
            )
        except ValueError:
            if logits.isfinite().all():
                raise
            raise SpikeError(
                "the model's predictions are not finite; use another checkpoint"
            ) from None
        stages = {"network": plain}
        if self.settings.temperature:
            stages["temperature"] = with_temperature
        if self.settings.bias:
            stages["calibration"] = with_bias
        return NetworkScores(stages, entropies)

    def _learn(self, ids: NDArray[np.integer]) -> None:
        self._tokens += len(ids)
        self._seen += np.bincount(ids, minlength=len(self._seen))
        if self._tokens % self.settings.interval or not len(ids):
            return
        if self._tokens >= self.settings.bias_after:
            seen, expected = self._seen / self._seen.sum(), self._expected / self._expected.sum()
            bias = np.log((seen + 1e-8) / (expected + 1e-8))
            max_bias = self.settings.max_bias
            self._bias_factors = np.exp(bias.clip(-max_bias, max_bias)).astype(np.float32)
        self._seen *= self.settings.decay
        self._expected *= self.settings.decay
