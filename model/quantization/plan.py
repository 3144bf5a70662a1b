"""Quantization plan: the precision of each matrix of a model.

A matrix here is the weight of a linear layer, or a table of embeddings, that is used after
training. All other weights (gains, gates, routes, memory tokens, biases, frozen numbers) are small
and are not quantized.
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
    """2 to 8 for integers, 16 or 32 for floating-point numbers."""
    clip: Clip | None = None
    """Clip of a row's grid; None: the one of the smallest error by the Hessian, if there is one."""

    @property
    def is_integer(self) -> bool:
        """Whether the matrix is quantized to integers with scales."""
        return self.bits < FLOAT_BITS


def quantization_plan(model: LanguageModel, settings: QuantizeConfig) -> dict[str, Precision]:
    """Return the precision of each matrix of the model, by name."""
    bits, clip = parse_bits(settings.bits), parse_clip(settings.clip)
    groups = ((name, role_of(name).quantization) for name, _ in model.named_parameters())
    return {name: Precision(bits[group], clip) for name, group in groups if group}
