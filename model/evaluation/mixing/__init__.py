"""Predictors beside the network, each a distribution that depends on what was read before alone."""

from .context_model import ContextModel, ContextScores
from .network import AdjustmentSettings, NetworkAdjustment
from .predictor import MixedScores, MixSettings, Predictor
from .static_counts import StaticCounts

__all__ = [
    "AdjustmentSettings",
    "ContextModel",
    "ContextScores",
    "MixSettings",
    "MixedScores",
    "NetworkAdjustment",
    "Predictor",
    "StaticCounts",
]
