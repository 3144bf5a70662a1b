"""Tokenizer: vocabularies that make few tokens, and fast exact encoding with them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bese.trainer import BeseSettings, train_bese
    from .bese.vocabulary import BeseVocabulary
    from .chat.chatml import Message, Part, message, render
    from .chat.encoding import encode_chat
    from .chat.messages import read_messages
    from .chat.reply_parser import ReplyStream
    from .length_max.settings import LengthMaxSettings
    from .length_max.trainer import train_length_max
    from .stream_decoder import StreamDecoder
    from .token_healing import TokenHealer
    from .tokenizer import Tokenizer
    from .training_progress import TrainingProgress
    from .vocabulary import Vocabulary, build_vocabulary

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
    "ReplyStream",
    "BeseSettings",
    "train_bese",
    "TokenHealer",
]

# Imported lazily (PEP 562): encoding by longest match needs no trainer, no conversation and no
# BESE, and the errors and file functions that all packages use need no tokenizer.
LATER = {
    "Tokenizer": "tokenizer",
    "StreamDecoder": "stream_decoder",
    "Vocabulary": "vocabulary",
    "build_vocabulary": "vocabulary",
    "Message": "chat.chatml",
    "Part": "chat.chatml",
    "message": "chat.chatml",
    "render": "chat.chatml",
    "encode_chat": "chat.encoding",
    "read_messages": "chat.messages",
    "ReplyStream": "chat.reply_parser",
    "BeseVocabulary": "bese.vocabulary",
    "train_bese": "bese.trainer",
    "BeseSettings": "bese.trainer",
    "train_length_max": "length_max.trainer",
    "TrainingProgress": "training_progress",
    "LengthMaxSettings": "length_max.settings",
    "TokenHealer": "token_healing",
}


def __getattr__(name: str) -> Any:
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{LATER[name]}", __name__), name)
