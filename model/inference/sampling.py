"""Sampling of a token from logits: repetition penalty, temperature, top-k and top-p."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spiketok.errors import SpikeError


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingParams:
    """Sampling settings, applied in this order.

    Raises:
        SpikeError: a setting is out of range.
    """

    repetition_penalty: float = 1.0
    """Divides positive logits of ids that the text has, and multiplies negative ones (Keskar et
    al. 2019, arXiv:1909.05858); 1 for none, 0.01 to 100."""
    temperature: float = 1.0
    """Divides the logits, 0.001 to 1000; 0 always takes the likeliest id."""
    top_k: int = 0
    """Sample from the `top_k` likeliest ids (Fan et al. 2018, arXiv:1805.04833); 0 for all."""
    top_p: float = 1.0
    """Sample from the likeliest ids that together have this probability (Holtzman et al. 2019,
    arXiv:1904.09751); 1 for all."""
    seed: int = 0
    """Equal seeds sample equal ids from equal logits."""

    def __post_init__(self) -> None:
        if not (self.temperature == 0 or 0.001 <= self.temperature <= 1000):
            raise SpikeError(
                f"temperature {self.temperature} is out of range; use 0, or 0.001 to 1000"
            )
        if not 0 < self.top_p <= 1 or self.top_k < 0:
            raise SpikeError(
                f"top_p {self.top_p} or top_k {self.top_k} is out of range; use 0 < top_p ≤ 1 and "
                "0 ≤ top_k"
            )
        if not 0.01 <= self.repetition_penalty <= 100:
            raise SpikeError(
                f"repetition penalty {self.repetition_penalty} is out of range; use 0.01 to 100, "
                "1 for none"
            )


def penalize_repetition(logits: Tensor, ids: Sequence[int], penalty: float) -> Tensor:
    """Return logits [V] with a penalty on the ids that the text has."""
    if penalty == 1:
        return logits
    used = torch.tensor(sorted(set(ids)), dtype=torch.int64)
    old = logits[used]
    return logits.index_put((used,), torch.where(old > 0, old / penalty, old * penalty))


def sample_token(logits: Tensor, sampling: SamplingParams, generator: torch.Generator) -> int:
    """Return an id sampled from logits [V], float64 on the CPU; −∞ is never sampled.

    Raises:
        SpikeError: no logit is finite, or one is +∞ or NaN.
    """
    if not bool(logits.max().isfinite()):
        raise SpikeError("the model's logits are not finite; use another checkpoint or model")
    if sampling.temperature == 0:
        return int(logits.argmax())
    likeliest, order = torch.softmax(logits / sampling.temperature, dim=-1).sort(
        descending=True, stable=True
    )
    if sampling.top_k:
        likeliest = likeliest[: sampling.top_k]
        likeliest = likeliest / likeliest.sum()
    # The id that crosses top_p is kept, so at least one remains.
    before = likeliest.cumsum(dim=-1) - likeliest
    kept = torch.where(before < sampling.top_p, likeliest, 0.0)
    return int(order[torch.multinomial(kept, 1, generator=generator)])
