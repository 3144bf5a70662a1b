"""Scores models in bits per byte and lets them write."""

from .bits_per_byte import Score, score_documents, score_replies, validation_score
from .generate import generate

__all__ = ["Score", "generate", "score_documents", "score_replies", "validation_score"]
