"""Mixture of experts (MoE): top-k or hash routing, with shared experts.

Shazeer et al. 2017 (arXiv:1701.06538) with experts that all tokens share
(DeepSeekMoE, arXiv:2401.06066), scores √softplus, and a loss that keeps the load even (Switch
Transformers, arXiv:2101.03961). Hashed layers choose by the token's id and learn no router (Hash
Layers, arXiv:2106.04426); the published code hashes positions, which do not depend on a token.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .feed_forward import FeedForward

EPS = 1e-8


class Experts(nn.Module):
    """Mixture of experts: each token goes to `chosen` of `experts`, and to all `shared` ones."""

    balance: Tensor | None = None
    """Experts · Σ (share of tokens · mean probability) of the last pass; None if hashed."""

    def __init__(
        self,
        *,
        dim: int,
        ffn_dim: int,
        experts: int,
        chosen: int,
        shared: int,
        scale: float,
        hashed: bool,
    ) -> None:
        super().__init__()
        self.chosen, self.shared_count, self.scale = chosen, shared, scale
        self.router = None if hashed else nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(FeedForward(dim=dim, ffn_dim=ffn_dim) for _ in range(experts))
        self.shared = FeedForward(dim=dim, ffn_dim=ffn_dim * shared) if shared else None

    def forward(self, stream: Tensor, ids: Tensor) -> Tensor:
        """Map [B, T, D] to [B, T, D], each token, with its id of ids [B, T], independently."""
        rows = stream.flatten(0, 1)
        if self.router is None:
            taken, weights = self._hashed(ids.flatten())
        else:
            taken, weights = self._routed(self.router(rows))
        output = torch.zeros_like(rows)
        for number, expert in enumerate(self.experts):
            row, choice = torch.nonzero(taken == number, as_tuple=True)
            part = expert(rows[row]) * weights[row, choice, None]
            output = output.index_add(0, row, part.to(output.dtype))
        if self.shared is not None:
            output = output + self.shared(rows) / self.shared_count
        return output.view(stream.shape)

    def _routed(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the experts [N, chosen] of each row and their weights, which add up to scale."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        scores, taken = functional.softplus(logits).sqrt().topk(self.chosen, dim=-1)
        load = functional.one_hot(taken, logits.shape[-1]).sum(dim=1).to(logits.dtype).mean(dim=0)
        self.balance = logits.shape[-1] * (load * logits.softmax(dim=-1).mean(dim=0)).sum()
        return taken, self.scale * scores / (scores.sum(dim=-1, keepdim=True) + EPS)

    def _hashed(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the experts (id + 0, 1, …) mod their number, all of equal weight."""
        steps = torch.arange(self.chosen, device=ids.device)
        taken = (ids[:, None] + steps) % len(self.experts)
        return taken, torch.full(taken.shape, self.scale / self.chosen, device=ids.device)
