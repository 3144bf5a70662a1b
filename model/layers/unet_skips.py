"""U-Net skip connections from early to late layers.

The first half of the layers push their outputs. The second half pop them, the last pushed first,
and add them to their inputs, each times a learned vector. From U-Net (Ronneberger et al. 2015,
arXiv:1505.04597) by way of modded-nanogpt; used by all records of openai/parameter-golf.
"""

import torch
from torch import Tensor, nn


class UNetSkips(nn.Module):
    """U-Net skips: a learned vector [D] per skip, initially ones."""

    def __init__(self, *, layers: int, dim: int) -> None:
        super().__init__()
        self.num_encoder_layers = layers // 2
        self.weights = nn.Parameter(torch.ones(self.num_encoder_layers, dim))

    def pop(self, stream: Tensor, layer: int, pushed: list[Tensor]) -> Tensor:
        """Return the input of `layer`, [B, T, D]: the stream, plus the newest of `pushed`."""
        if not self.num_encoder_layers <= layer < 2 * self.num_encoder_layers:
            return stream
        weight = self.weights[layer - self.num_encoder_layers]
        return stream + weight.to(stream.dtype) * pushed.pop()

    def push(self, stream: Tensor, layer: int, pushed: list[Tensor]) -> None:
        """Push the output [B, T, D] of `layer` to `pushed`, if a later layer reads it."""
        if layer < self.num_encoder_layers:
            pushed.append(stream)
