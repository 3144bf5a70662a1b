"""Doors to `transformers`: models as folders that AutoModelForCausalLM loads, and back."""

from .bundle import generate
from .export import Exported, export_model
from .import_ import import_model

__all__ = ["Exported", "export_model", "generate", "import_model"]
