"""Doors to `transformers`: models as folders that AutoModelForCausalLM loads, and back."""

from .folder import Exported, export_model
from .generate import generate

__all__ = ["Exported", "export_model", "generate"]
