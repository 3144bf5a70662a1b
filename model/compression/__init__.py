"""Makes trained models small: weights as whole numbers with a scale per row."""

from .hessian import gather_hessians
from .matrices import Precision, plan_of
from .own_text import own_text
from .quantize import put_quantized, quantize_matrix, quantize_model
from .quantized_matrix import LowRank, QuantizedMatrix

__all__ = [
    "LowRank",
    "Precision",
    "QuantizedMatrix",
    "gather_hessians",
    "own_text",
    "plan_of",
    "put_quantized",
    "quantize_matrix",
    "quantize_model",
]
