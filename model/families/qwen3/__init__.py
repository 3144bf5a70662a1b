"""Qwen3-shaped dense transformer."""
