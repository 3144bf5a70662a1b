"""Scoring: bits per byte of text under a model, alone or with context mixing and TTT."""
