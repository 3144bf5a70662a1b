"""Multi-token prediction (MTP) heads: used in training, not exported.

Independent linear heads, Gloeckle et al. 2024 (arXiv:2404.19737).
"""

from torch import Tensor, nn
from torch.nn import functional

IGNORE_INDEX = -100


class MTPHeads(nn.ModuleList):
    """MTP heads: head k (from 0) maps hidden states to logits of the token k + 2 later."""

    def __init__(self, *, heads: int, dim: int, vocab_size: int) -> None:
        super().__init__(nn.Linear(dim, vocab_size, bias=False) for _ in range(heads))

    def forward(self, hidden_states: Tensor) -> list[Tensor]:
        """Map [..., D] to logits [..., V] of each head."""
        return [head(hidden_states) for head in self]


def mtp_targets(targets: Tensor, heads: int, mask: Tensor | None = None) -> list[Tensor]:
    """Return the targets of each head.

    Args:
        targets: the next ids, [B, T].
        heads: number of heads.
        mask: bool [B, T], the targets that count; None: all.

    Returns:
        Ids [B, T] each, IGNORE_INDEX where the sequence ends too soon or the target does not count.

    >>> [ids.tolist() for ids in mtp_targets(Tensor([[5, 6, 7]]).long(), 2)]
    [[[6, 7, -100]], [[7, -100, -100]]]
    """
    counted = targets if mask is None else targets.masked_fill(~mask, IGNORE_INDEX)
    return [
        functional.pad(counted[:, shift:], (0, min(shift, counted.shape[1])), value=IGNORE_INDEX)
        for shift in range(1, heads + 1)
    ]
