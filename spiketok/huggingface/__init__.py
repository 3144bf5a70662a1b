"""Hugging Face: export tokenizers for `transformers` and `tokenizers`."""

from .bundle import generate
from .bundler import join_modules
from .export import export_tokenizer, write_tokenizer
from .names import VOCABULARY_FILE

__all__ = ["export_tokenizer", "write_tokenizer", "generate", "join_modules", "VOCABULARY_FILE"]
