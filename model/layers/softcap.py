"""Logit soft-capping: Gemma 2 (arXiv:2408.00118)."""

import torch
from torch import Tensor


def softcap(logits: Tensor, cap: float) -> Tensor:
    """Return cap · tanh(logits / cap), or the logits, of any shape, where `cap` is 0."""
    return cap * torch.tanh(logits / cap) if cap else logits
