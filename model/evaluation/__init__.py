"""Scores models in bits per byte and lets them write."""

from .bits_per_byte import Score, score_documents, score_replies, validation_score
from .conversation import Conversation, ask, begin_conversation, reply
from .drawing import Drawing
from .generate import Drawn, generate
from .reading import Reading
from .test_time_settings import TestTimeSettings, parse_test_time
from .test_time_training import Learner, learning

__all__ = [
    "Conversation",
    "Drawing",
    "Drawn",
    "Learner",
    "Reading",
    "Score",
    "TestTimeSettings",
    "ask",
    "begin_conversation",
    "generate",
    "learning",
    "parse_test_time",
    "reply",
    "score_documents",
    "score_replies",
    "validation_score",
]
