"""Makes trained models small: weights as whole numbers with a scale per row."""

from .quantized_matrix import LowRank, QuantizedMatrix

__all__ = ["LowRank", "QuantizedMatrix"]
