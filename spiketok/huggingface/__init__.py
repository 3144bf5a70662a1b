"""Doors to the libraries of Hugging Face."""

from .folder import export_tokenizer, write_tokenizer
from .generate import generate
from .joining import join_modules
from .names import VOCABULARY_FILE

__all__ = ["export_tokenizer", "write_tokenizer", "generate", "join_modules", "VOCABULARY_FILE"]
