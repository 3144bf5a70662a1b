"""Initialisation of weights: a random generator for each parameter."""

import hashlib

import torch


def per_parameter_generator(seed: int, name: str) -> torch.Generator:
    """Return a generator that depends on the seed and a weight's name alone.

    Models with and without a feature then have equal initial weights in all shared parameters.
    """
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))
