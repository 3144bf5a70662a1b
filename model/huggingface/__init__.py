"""Hugging Face `transformers`: export of models for `AutoModelForCausalLM`, and import."""

from .bundle import generate
from .export import Exported, export_model, run_card
from .import_ import import_model

__all__ = ["Exported", "export_model", "generate", "import_model", "run_card"]
