"""Test-time training: a model learns from text that it has scored."""
