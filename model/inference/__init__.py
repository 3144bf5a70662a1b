"""Inference: sampling, incremental decoding, text generation and chat."""
