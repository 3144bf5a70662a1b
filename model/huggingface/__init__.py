"""Doors to `transformers`: models as folders that AutoModelForCausalLM loads, and back."""

from .folder import Exported, export_model
from .generate import generate
from .importing import import_model

__all__ = ["Exported", "export_model", "generate", "import_model"]
