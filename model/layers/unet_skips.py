"""U-Net skip connections from early to late layers.

The first half of the layers push their outputs; the second half pop them, the last pushed first,
each times a learned vector, and add them to their inputs. From U-Net (Ronneberger et al. 2015,
arXiv:1505.04597) by way of modded-nanogpt; used by all records of openai/parameter-golf.
"""

import torch
from torch import Tensor, nn


class UNetSkips(nn.Module):
    """U-Net skips: one vector per skip, over the width; all ones at the start."""

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
        """Push the output of `layer`, where a later layer needs it."""
        if layer < self.num_encoder_layers:
            pushed.append(stream)
