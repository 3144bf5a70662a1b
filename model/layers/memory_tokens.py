"""Memory tokens: learned rows before a text, to which every token attends.

PR #352 of openai/parameter-golf; after memory transformers (Burtsev et al. 2020,
arXiv:2006.11527). In training they replace a sequence's first tokens, so that its length stays the
same; the targets there are not scored. In evaluation they precede the tokens, which keep all
their context, and every target is scored. In both, the text's positions start after the memory.
"""

import torch
from torch import Tensor, nn


class MemoryTokens(nn.Module):
    """Memory tokens: rows [M, D], initialised with a deviation of 0.02."""

    def __init__(self, *, count: int, dim: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(count, dim))

    def overwrite(self, stream: Tensor) -> Tensor:
        """Replace the first M rows of [B, T, D], T > M, by the memory."""
        return self.prepend(stream[:, len(self.rows) :])

    def prepend(self, stream: Tensor) -> Tensor:
        """Return [B, M + T, D]: the memory, then the rows of [B, T, D]."""
        rows = self.rows.to(stream.dtype).expand(len(stream), -1, -1)
        return torch.cat([rows, stream], dim=1)
