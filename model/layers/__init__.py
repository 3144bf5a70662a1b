"""Layers: PyTorch modules and functions that the model families share."""
