"""Run folders: configuration, checkpoints, weights and metrics on disk."""
