"""Hyper-connections: several residual streams that each branch reads and writes with own weights.

Zhu et al. 2024 (arXiv:2409.19606), in the static form: a branch reads a mean of the streams and
writes to all of them. A matrix whose rows and columns add up to 1, by Sinkhorn iterations, mixes
the streams, so that they do not grow with depth (mHC, arXiv:2512.24880).

All streams start as the embedding. Branch s reads mostly stream s mod N, or they would stay equal
for ever. Branches write to all streams equally at first, so the model starts as a plain residual
network.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention_inputs import last_rows

SINKHORN_EPS = 1e-6
READ_START, MIX_START = 2.0, 4.0  # logits: a share of 0.88 of two streams, and of 0.98


class Route(NamedTuple):
    """Route: weights by which one branch reads (pre), writes (post) and mixes (res) N streams."""

    pre: Tensor
    """[N], adds up to 1."""
    post: Tensor
    """[N], between 0 and 2."""
    res: Tensor
    """[N, N], doubly stochastic; row i makes stream i."""


class HyperConnections(nn.Module):
    """Hyper-connections: logits of all branches, and of the mean that merges the streams."""

    def __init__(self, *, branches: int, streams: int, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        own = torch.eye(streams)
        reads = own[torch.arange(branches) % streams]
        self.pre_logits = nn.Parameter(READ_START * reads)
        self.post_logits = nn.Parameter(torch.zeros(branches, streams))
        self.res_logits = nn.Parameter(MIX_START * own.repeat(branches, 1, 1))
        self.out_logits = nn.Parameter(torch.zeros(streams))

    def routes(self) -> list[Route]:
        """Return each branch's route; all are computed at once, being the same for all tokens."""
        ways = (
            self.pre_logits.softmax(dim=-1),
            2 * torch.sigmoid(self.post_logits),
            sinkhorn(self.res_logits, self.rounds),
        )
        return [Route(*way) for way in zip(*(way.unbind() for way in ways), strict=True)]

    def merge(self, streams: Tensor) -> Tensor:
        """Map streams [N, B, T, D] to one, [B, T, D]."""
        return _combined(self.out_logits.softmax(dim=-1), streams)


def sinkhorn(logits: Tensor, rounds: int) -> Tensor:
    """Return logits [..., N, N] as matrices whose rows and columns add up to nearly 1.

    The Sinkhorn iteration (Sinkhorn 1964): columns, then rows are divided by their sums.
    """
    matrix = logits.softmax(dim=-1) + SINKHORN_EPS
    for _ in range(rounds):
        matrix = matrix / (matrix.sum(dim=-2, keepdim=True) + SINKHORN_EPS)
        matrix = matrix / (matrix.sum(dim=-1, keepdim=True) + SINKHORN_EPS)
    return matrix


def branch(
    streams: Tensor,
    route: Route | None,
    work: Callable[[Tensor], Tensor],
    logits_to_keep: int | None = None,
) -> Tensor:
    """Return the streams [N, B, T, D] after a branch that maps [B, T, D] to [B, T, D].

    Args:
        streams: [N, B, T, D]; without a route one stream, [B, T, D].
        route: weights of the branch; None: its output is added to the one stream.
        work: the branch, a map of [B, T, D] to [B, T or logits_to_keep, D].
        logits_to_keep: number of last rows to return; None: all.
    """
    if route is None:
        return last_rows(streams, logits_to_keep) + work(streams)
    worked = work(_combined(route.pre, streams))
    mixed = _combined(route.res, last_rows(streams, logits_to_keep))
    return torch.addcmul(mixed, route.post.view(-1, 1, 1, 1), worked)


def _combined(weights: Tensor, streams: Tensor) -> Tensor:
    """Return weights […, N] times streams [N, B, T, D] as […, B, T, D].

    Autocast would keep the streams in bfloat16.
    """
    with torch.autocast(streams.device.type, enabled=False):
        return (weights @ streams.flatten(1)).view(*weights.shape[:-1], *streams.shape[1:])
