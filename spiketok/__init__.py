"""The tokenizer: vocabularies that make few tokens, and fast exact encoding with them."""

from .length_max import train_length_max
from .rounds import TrainingProgress
from .stream_decoder import StreamDecoder
from .tokenizer import Tokenizer
from .training_settings import LengthMaxSettings
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
