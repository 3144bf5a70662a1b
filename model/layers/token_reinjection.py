"""Token re-injection: each layer's attention reads the token's embedding again.

SpikeWhale's optional value embedding: the token's embedding, times tanh of a learned scalar that is
initially zero, is added to the input of a layer's attention.
"""

import torch
from torch import Tensor


def reinject_tokens(stream: Tensor, embedded: Tensor, gate: Tensor) -> Tensor:
    """Return stream + tanh(gate) · embedded, both [B, T, D], for a scalar gate."""
    return torch.addcmul(stream, torch.tanh(gate), embedded)
