"""The tokenizer: vocabularies that make few tokens, and fast exact encoding with them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .stream_decoder import StreamDecoder
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary, build_vocabulary

if TYPE_CHECKING:
    from .bese import BeseVocabulary
    from .bese_training import BeseSettings, train_bese
    from .chat import Message, Part, message, render
    from .chat_encoding import encode_chat
    from .chat_messages import read_messages
    from .healing import Healer
    from .length_max import train_length_max
    from .training_progress import TrainingProgress
    from .training_settings import LengthMaxSettings

__all__ = [
    "Tokenizer",
    "StreamDecoder",
    "Vocabulary",
    "BeseVocabulary",
    "build_vocabulary",
    "LengthMaxSettings",
    "TrainingProgress",
    "train_length_max",
    "Message",
    "Part",
    "message",
    "read_messages",
    "render",
    "encode_chat",
    "BeseSettings",
    "train_bese",
    "Healer",
]

# Loaded when asked for (PEP 562): who only encodes by longest match
# waits for no trainer, no conversation and no BESE.
LATER = {
    "Message": "chat",
    "Part": "chat",
    "message": "chat",
    "render": "chat",
    "encode_chat": "chat_encoding",
    "read_messages": "chat_messages",
    "BeseVocabulary": "bese",
    "train_bese": "bese_training",
    "BeseSettings": "bese_training",
    "train_length_max": "length_max",
    "TrainingProgress": "training_progress",
    "LengthMaxSettings": "training_settings",
    "Healer": "healing",
}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{LATER[name]}", __name__), name)
