"""Doors to the libraries of Hugging Face."""

from .folder import export_tokenizer, write_tokenizer
from .generate import generate
from .names import VOCABULARY_FILE

__all__ = ["export_tokenizer", "write_tokenizer", "generate", "VOCABULARY_FILE"]
