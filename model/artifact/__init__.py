"""Artifacts: a whole model in one small file."""
