"""Quantization plan: the matrices of a model, their part of it, and their bits.

A matrix here is what a linear layer multiplies by, or a table whose rows are looked up, where it is
needed after training. All else (gains, gates, routes, memory rows, biases, frozen numbers) is small
and stays as it is.
"""

from dataclasses import dataclass

from ..config.quantization import Clip, QuantizeConfig, parse_bits, parse_clip
from ..families.language_model import LanguageModel
from ..families.parameter_roles import role_of

FLOAT_BITS = 16


@dataclass(frozen=True, slots=True)
class Precision:
    """Precision of a matrix after quantization."""

    bits: int
    """2 to 8 for whole numbers, 16 or 32 for floating-point ones."""
    clip: Clip | None = None
    """Clip of a row's grid; None: the one that costs least by the Hessian, if there is one."""

    @property
    def is_integer(self) -> bool:
        """Whether the matrix is quantized to integers with scales."""
        return self.bits < FLOAT_BITS


def quantization_plan(model: LanguageModel, settings: QuantizeConfig) -> dict[str, Precision]:
    """Return the precision of each matrix of the model, by name."""
    bits, clip = parse_bits(settings.bits), parse_clip(settings.clip)
    groups = ((name, role_of(name).quantization) for name, _ in model.named_parameters())
    return {name: Precision(bits[group], clip) for name, group in groups if group}
