"""Evaluation tasks: `spike eval --tasks`, their data, and their scores during training."""
