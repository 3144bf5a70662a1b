"""Turns a network's logits into distributions: a temperature by entropy, and a learned bias by id.

The bias is learned from scored tokens (a record's "online logit calibration"): where an id came
more often than was predicted, its logit grows. It changes every `interval` tokens only, so that
scores do not depend on how many are computed at a time.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .single_token import Numbers

# Rows adjusted at a time: few enough to stay in a CPU's cache.
ROWS = 16
# ln p below this is raised to it before the sum is taken, so that nothing is impossible.
LEAST = -80.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentSettings:
    """How logits are adjusted; the numbers are the record's."""

    heat: bool = True
    """Whether there is a temperature: 1 − sharpening · (1 − H / ln V), within 0.9 … 1.05."""
    calibrate: bool = True
    """Whether a bias is learned."""
    sharpening: float = 0.15
    """By how much a certain prediction is sharpened."""
    decay: float = 0.999
    """What is left of older counts after an interval."""
    interval: int = 2048
    """Tokens between changes of the bias."""
    first: int = 50_000
    """Tokens before the first bias."""
    most: float = 2.0
    """The bias is within ± most."""


@dataclass(frozen=True, slots=True)
class NetworkScores:
    """What a network gave ids that were asked for."""

    rungs: dict[str, Numbers]
    """[n, m] each: `network`, then `temperature` and `calibration` where they are on."""
    entropies: Numbers
    """[n]: of the distributions before any adjustment, in nats."""

    @property
    def last(self) -> Numbers:
        """With all adjustments."""
        return list(self.rungs.values())[-1]


class NetworkAdjustment:
    """Logits in, distributions out, and what was learned about them so far."""

    def __init__(self, vocab_size: int, settings: AdjustmentSettings | None = None) -> None:
        """Begin without a bias."""
        self.settings = settings or AdjustmentSettings()
        self._raises: Tensor | None = None
        self._seen = torch.zeros(vocab_size, dtype=torch.float64)
        self._expected = torch.zeros(vocab_size, dtype=torch.float64)
        self._tokens = 0

    def peek(self, logits: Tensor, asked: NDArray[np.integer]) -> NetworkScores:
        """Return the probabilities of the ids asked [n, m] by logits [n, V], on the CPU."""
        return self._scores(logits, torch.from_numpy(asked.astype(np.int64)), learn=False)

    def read(
        self, logits: Tensor, asked: NDArray[np.integer], ids: NDArray[np.integer]
    ) -> NetworkScores:
        """Return the same for logits that predict ids [n], and learn behind each interval.

        Numbers equal those of `peek` at their place: the bias, alike up to the last bits for any
        division into calls, comes from intervals that are complete.
        """
        wanted = torch.from_numpy(asked.astype(np.int64))
        parts: list[NetworkScores] = []
        start = 0
        while start < len(ids) or not parts:
            stop = start + self.settings.interval - self._tokens % self.settings.interval
            parts.append(self._scores(logits[start:stop], wanted[start:stop], learn=True))
            self._learn(ids[start:stop])
            start = stop
        if len(parts) == 1:
            return parts[0]
        return NetworkScores(
            {name: np.concatenate([p.rungs[name] for p in parts]) for name in parts[0].rungs},
            np.concatenate([part.entropies for part in parts]),
        )

    def _scores(self, logits: Tensor, asked: Tensor, learn: bool) -> NetworkScores:
        names = ["network", *(["temperature"] if self.settings.heat else [])]
        names += ["calibration"] if self.settings.calibrate else []
        found = {name: torch.empty(asked.shape, dtype=torch.float64) for name in names}
        entropies = torch.empty(len(logits), dtype=torch.float64)
        for start in range(0, len(logits), ROWS):
            part = slice(start, start + ROWS)
            plain = torch.log_softmax(logits[part].float(), dim=-1).clamp_(min=LEAST)
            weights = plain.exp()
            entropy = (weights * plain).sum(dim=-1, keepdim=True).neg_()
            entropies[part] = entropy.squeeze(-1)
            sums = _put(found["network"], part, weights, asked)
            if self.settings.heat:
                most = math.log(max(2, logits.shape[-1]))
                heat = 1 - self.settings.sharpening * (1 - entropy / most)
                weights = plain.div_(heat.clamp_(0.9, 1.05)).exp_()
                sums = _put(found["temperature"], part, weights, asked)
            if self.settings.calibrate:
                if self._raises is not None:
                    weights *= self._raises
                sums = _put(found["calibration"], part, weights, asked)
                if learn:
                    self._expected += (weights / sums.float()).sum(dim=0)
        return NetworkScores(
            {name: part.numpy() for name, part in found.items()}, entropies.numpy()
        )

    def _learn(self, ids: NDArray[np.integer]) -> None:
        self._tokens += len(ids)
        if not self.settings.calibrate:
            return
        taught = torch.from_numpy(ids.astype(np.int64))
        self._seen.index_add_(0, taught, torch.ones(len(ids), dtype=torch.float64))
        if self._tokens % self.settings.interval or not len(ids):
            return
        if self._tokens >= self.settings.first:
            seen, expected = self._seen / self._seen.sum(), self._expected / self._expected.sum()
            bias = ((seen + 1e-8) / (expected + 1e-8)).log()
            self._raises = bias.clamp(-self.settings.most, self.settings.most).exp().float()
        self._seen *= self.settings.decay
        self._expected *= self.settings.decay


def _put(out: Tensor, part: slice, weights: Tensor, asked: Tensor) -> Tensor:
    """Write the probabilities of the ids asked; return the weights' sums [n, 1].

    Weights are of single precision and their sums of double: they add up to 1 to the last bits.
    """
    sums = weights.sum(dim=-1, keepdim=True, dtype=torch.float64)
    out[part] = weights.gather(1, asked[part]).double() / sums
    return sums
