"""The tokenizer: vocabularies that make few tokens, and fast exact encoding with them."""

from .length_max import LengthMaxSettings, TrainingProgress, train_length_max
from .stream_decoder import StreamDecoder
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary, build_vocabulary

__all__ = [
    "Tokenizer",
    "StreamDecoder",
    "Vocabulary",
    "build_vocabulary",
    "LengthMaxSettings",
    "TrainingProgress",
    "train_length_max",
]
