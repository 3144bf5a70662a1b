"""Scores models in bits per byte and lets them write."""

from .bits_per_byte import Score, score_documents, score_replies, validation_score
from .conversation import Conversation, ask, begin_conversation, reply
from .drawing import Drawing
from .generate import Drawn, generate
from .reading import Reading

__all__ = [
    "Conversation",
    "Drawing",
    "Drawn",
    "Reading",
    "Score",
    "ask",
    "begin_conversation",
    "generate",
    "reply",
    "score_documents",
    "score_replies",
    "validation_score",
]
