"""Gradient clipping by the norm of all gradients (Pascanu et al. 2013, arXiv:1211.5063)."""

import math
from collections.abc import Iterable

import torch
from torch import nn


def clip_gradients(parameters: Iterable[nn.Parameter], max_norm: float) -> float:
    """Scale gradients so that their common L2 norm is at most `max_norm`; 0 for no limit.

    Returns:
        The norm before clipping.
    """
    return torch.nn.utils.clip_grad_norm_(parameters, max_norm or math.inf).item()
