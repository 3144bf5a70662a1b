"""Scoring: bits per byte of text under a model."""
