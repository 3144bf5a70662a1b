"""Trains a model into a run folder, and goes on from its newest checkpoint to the same bytes."""

from .checkpoint_folders import newest_checkpoint
from .trainer import Progress, Sample, TrainResult, train

__all__ = ["Progress", "Sample", "TrainResult", "newest_checkpoint", "train"]
