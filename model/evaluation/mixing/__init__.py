"""Predictors on and beside the network: distributions that depend on what was read before alone."""

from .context_model import ContextModel, ContextScores
from .counts_table import counts_from_bytes, counts_to_bytes
from .network import AdjustmentSettings, NetworkAdjustment
from .predictor import Predictor
from .settings import PARTS, PredictorSettings, settings_of
from .static_counts import StaticCounts

__all__ = [
    "PARTS",
    "AdjustmentSettings",
    "ContextModel",
    "ContextScores",
    "NetworkAdjustment",
    "Predictor",
    "PredictorSettings",
    "StaticCounts",
    "counts_from_bytes",
    "counts_to_bytes",
    "settings_of",
]
