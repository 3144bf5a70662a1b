"""Says which matrices a model has, what part of it each is, and how many bits it shall have.

A matrix here is what a linear layer multiplies by, or a table whose rows are looked up, where it is
needed after training. All else (gains, gates, routes, memory rows, biases, frozen numbers) is small
and stays as it is.
"""

from dataclasses import dataclass

from torch import nn

from ..config.quantization import Clip, CompressConfig, Part, parse_clip, parse_quantize
from ..families.build import Model, practising_parts

FLOAT_BITS = 16


@dataclass(frozen=True, slots=True)
class Precision:
    """What a matrix is to become."""

    bits: int
    """2 to 8 for whole numbers, 16 or 32 for floating-point ones."""
    clip: Clip | None = None
    """How far the grid of a row reaches; None: what costs least by the Hessian, if there is one."""

    @property
    def whole(self) -> bool:
        """Whether the matrix becomes whole numbers with scales."""
        return self.bits < FLOAT_BITS


def named_matrices(model: Model) -> dict[str, nn.Parameter]:
    """Return the matrices by the names of their parameters; a shared table has one."""
    practising = tuple(f"{name}." for name in practising_parts(model))
    found: dict[str, nn.Parameter] = {}
    for owner, module in model.named_modules():
        is_one = isinstance(module, nn.Linear | nn.Embedding)
        if is_one and not owner.startswith(practising):
            found[f"{owner}.weight"] = module.weight
    return found


def part_of(name: str) -> Part:
    """Return which part of a model the matrix of this name is.

    Tables and output layers are `embed`. `other` is what stands between them and the layers, and
    routers, which choose among experts.

    >>> [part_of(f"{owner}.weight") for owner in ("blocks.0.feed_forward.up", "bigram.table")]
    ['mlp', 'embed']
    """
    owner = name.removesuffix(".weight")
    if ".attention." in owner:
        return "attn"
    if ".feed_forward." in owner and not owner.endswith(".router"):
        return "mlp"
    return "embed" if owner.endswith(("embedding", "table", "head")) else "other"


def plan_of(model: Model, compress: CompressConfig) -> dict[str, Precision]:
    """Return what each matrix of the model is to become, by name."""
    bits, clip = parse_quantize(compress.quantize), parse_clip(compress.clip)
    return {name: Precision(bits[part_of(name)], clip) for name in named_matrices(model)}
