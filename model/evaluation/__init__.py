"""Scores models in bits per byte and lets them write."""

from .bits_per_byte import Score, score_documents, score_replies, validation_score
from .drawing import Drawing
from .generate import Drawn, generate
from .reading import Reading

__all__ = [
    "Drawing",
    "Drawn",
    "Reading",
    "Score",
    "generate",
    "score_documents",
    "score_replies",
    "validation_score",
]
