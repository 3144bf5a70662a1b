"""Turns a network's logits into distributions: a temperature by entropy, and a learned bias by id.

The bias is learned from scored tokens (a record's "online logit calibration"): where an id came
more often than was predicted, its logit grows. It changes every `interval` tokens only, so that
scores do not depend on how many are computed at a time.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Rows adjusted at a time: few enough to stay in a CPU's cache.
ROWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentSettings:
    """How logits are adjusted; the defaults are the record's."""

    sharpening: float = 0.15
    """The temperature is 1 − sharpening · (1 − H / ln V), within 0.9 … 1.05; 0: always 1."""
    calibrate: bool = True
    """Whether a bias is learned."""
    decay: float = 0.999
    """What is left of older counts after an interval."""
    interval: int = 2048
    """Tokens between changes of the bias."""
    first: int = 50_000
    """Tokens before the first bias."""
    most: float = 2.0
    """The bias is within ± most."""


class NetworkAdjustment:
    """Logits in, distributions out, and what was learned about them so far."""

    def __init__(self, vocab_size: int, settings: AdjustmentSettings | None = None) -> None:
        """Begin without a bias."""
        self.settings = settings or AdjustmentSettings()
        self._bias = torch.zeros(vocab_size, dtype=torch.float64)
        self._seen = torch.zeros(vocab_size, dtype=torch.float64)
        self._expected = torch.zeros(vocab_size, dtype=torch.float64)
        self._tokens = 0

    def peek(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return distributions [n, V] and their entropies [n] in nats, float64.

        Logits are [n, V] and on the CPU. Entropies are those before temperature and bias.
        """
        rows = torch.empty(logits.shape, dtype=torch.float64)
        entropies = torch.empty(len(logits), dtype=torch.float64)
        for start in range(0, len(logits), ROWS):
            part = slice(start, start + ROWS)
            self._adjust(logits[part], rows[part], entropies[part])
        return rows, entropies

    def _adjust(self, logits: Tensor, rows: Tensor, found: Tensor) -> None:
        plain = torch.log_softmax(logits.float(), dim=-1)
        entropies = -(plain.exp() * plain).sum(dim=-1, keepdim=True)
        heat = 1 - self.settings.sharpening * (1 - entropies / math.log(max(2, logits.shape[-1])))
        adjusted = plain.div_(heat.clamp_(0.9, 1.05)).add_(self._bias.float())
        rows.copy_(torch.softmax(adjusted, dim=-1))
        # Single precision adds up to 1 only nearly.
        rows.mul_(1 / rows.sum(dim=-1, keepdim=True))
        found.copy_(entropies.squeeze(-1))

    def read(self, logits: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same for logits [n, V] that predict ids [n], and learn behind each interval.

        Rows equal those of `peek` at their place: the bias, alike up to the last bits for any
        division into calls, comes from intervals that are complete.
        """
        rows: list[Tensor] = []
        entropies: list[Tensor] = []
        start = 0
        while start < len(ids) or not rows:
            stop = start + self.settings.interval - self._tokens % self.settings.interval
            row, entropy = self.peek(logits[start:stop])
            self._learn(row, ids[start:stop])
            rows.append(row)
            entropies.append(entropy)
            start = stop
        if len(rows) == 1:
            return rows[0], entropies[0]
        return torch.cat(rows), torch.cat(entropies)

    def _learn(self, rows: Tensor, ids: Tensor) -> None:
        self._tokens += len(ids)
        if not self.settings.calibrate:
            return
        self._expected += rows.sum(dim=0)
        self._seen.index_add_(0, ids.long(), torch.ones(len(ids), dtype=torch.float64))
        if self._tokens % self.settings.interval or not len(ids):
            return
        if self._tokens >= self.settings.first:
            seen, expected = self._seen / self._seen.sum(), self._expected / self._expected.sum()
            ratio = ((seen + 1e-8) / (expected + 1e-8)).log()
            self._bias = ratio.clamp(-self.settings.most, self.settings.most)
        self._seen *= self.settings.decay
        self._expected *= self.settings.decay
