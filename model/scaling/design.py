"""Design of probe runs: sizes around the expected optimum, each with several lengths."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .law import TOKENS_PER_PARAMETER

# Widths of the probes over the one that 20 tokens a parameter give; they enclose the optimum.
WIDTH_RATIOS = (0.35, 0.65, 1.0, 1.5)
# Compute of a probe over that of the longest of its size.
LENGTH_RATIOS = (1.0, 1 / 2, 1 / 4)
# Probes' compute over that of the largest one.
TOTAL = len(WIDTH_RATIOS) * sum(LENGTH_RATIOS)
# Steps of the shortest probe; in fewer the loss falls by other laws than in a long run.
FEWEST_STEPS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """Size of a model.

    Attributes:
        dim: width.
        parameters: N, embeddings included.
        flops_per_token: of training.
    """

    dim: int
    parameters: int
    flops_per_token: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLength:
    """Length of a probe run of one model size."""

    size: ModelSize
    steps: int


def chosen_widths(sizes: Sequence[ModelSize], flops: float) -> tuple[ModelSize, ...]:
    """Return the sizes to probe, for a training of `flops`.

    The middle is where 20 tokens a parameter take that compute.

    Args:
        sizes: to choose from, by increasing width.
        flops: of the training to plan.

    >>> sizes = [ModelSize(dim=n, parameters=n**2, flops_per_token=6.0 * n**2) for n in range(99)]
    >>> [size.dim for size in chosen_widths(sizes, 120 * 40.0**4)]
    [14, 26, 40, 60]
    """
    costs = [TOKENS_PER_PARAMETER * size.parameters * size.flops_per_token for size in sizes]
    middle = min(range(len(sizes)), key=lambda i: abs(math.log((costs[i] + 1) / flops)))
    chosen: list[ModelSize] = []
    for ratio in WIDTH_RATIOS:
        wanted = ratio * sizes[middle].dim
        rest = [size for size in sizes if size not in chosen and size.dim > 0]
        chosen.append(min(rest, key=lambda size: abs(size.dim - wanted)))
    return tuple(sorted(chosen, key=lambda size: size.dim))


def chosen_batch(sizes: Sequence[ModelSize], flops: float, context: int, largest: int) -> int:
    """Return the sequences per step of all probes and of the planned training.

    The largest power of two, at most `largest`, with which the shortest probe has enough steps; 1
    where none has. In short trainings smaller batches learn more from the same tokens.

    Args:
        sizes: of the probes.
        flops: of the largest probe.
        context: tokens of a sequence.
        largest: sequences.
    """
    tokens = flops * LENGTH_RATIOS[-1] / sizes[-1].flops_per_token
    batch = 1 << (largest.bit_length() - 1)
    while batch > 1 and tokens < FEWEST_STEPS * batch * context:
        batch //= 2
    return batch


def probe_lengths(
    sizes: Sequence[ModelSize], flops: float, tokens_per_step: int
) -> tuple[ProbeLength, ...]:
    """Return the probes, by increasing compute.

    Args:
        sizes: of the models.
        flops: of each size's longest probe.
        tokens_per_step: of all probes.
    """
    return tuple(
        ProbeLength(
            size=size, steps=max(2, round(flops * ratio / size.flops_per_token / tokens_per_step))
        )
        for ratio in reversed(LENGTH_RATIOS)
        for size in sizes
    )
