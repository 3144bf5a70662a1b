"""Evaluation of causal language models by the log-likelihood of continuations."""
