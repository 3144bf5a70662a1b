"""Predictors beside the network, each a distribution that depends on what was read before alone."""

from .context_model import ContextModel, ContextScores
from .static_counts import StaticCounts

__all__ = ["ContextModel", "ContextScores", "StaticCounts"]
