"""Artifacts: a quantized model with its tokenizer in one `.spike` file."""
