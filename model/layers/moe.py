"""Mixture of experts (MoE): top-k or hash routing, with shared experts.

Shazeer et al. 2017 (arXiv:1701.06538) with shared experts (DeepSeekMoE, arXiv:2401.06066), scores
√softplus, and a load-balancing loss (Switch Transformers, arXiv:2101.03961). Layers with hash
routing choose by the token's id and have no router (Hash Layers, arXiv:2106.04426). The published
code hashes positions instead of ids.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .feed_forward import FeedForward

EPS = 1e-8


class MoE(nn.Module):
    """Mixture of experts: each token goes to `top_k` of `num_experts`, and to all shared ones."""

    aux_loss: Tensor | None = None
    """Load-balancing loss of the last pass, a scalar; None with hash routing.

    Number of experts · Σ over experts (share of tokens · mean probability).
    """

    def __init__(
        self,
        *,
        dim: int,
        ffn_dim: int,
        num_experts: int,
        top_k: int,
        num_shared: int,
        routed_scaling_factor: float,
        hash_routing: bool,
    ) -> None:
        super().__init__()
        self.top_k, self.num_shared, self.scale = top_k, num_shared, routed_scaling_factor
        self.gate = None if hash_routing else nn.Linear(dim, num_experts, bias=False)
        self.experts = nn.ModuleList(
            FeedForward(dim=dim, ffn_dim=ffn_dim) for _ in range(num_experts)
        )
        self.shared_experts = (
            FeedForward(dim=dim, ffn_dim=ffn_dim * num_shared) if num_shared else None
        )

    def forward(self, hidden_states: Tensor, ids: Tensor) -> Tensor:
        """Map [B, T, D] to [B, T, D], each token, with its id of ids [B, T], independently."""
        rows = hidden_states.flatten(0, 1)  # [N, D]
        if self.gate is None:
            experts, weights = self._hashed(ids.flatten())
        else:
            experts, weights = self._routed(self.gate(rows))
        output = torch.zeros_like(rows)
        for number, expert in enumerate(self.experts):
            row, choice = torch.nonzero(experts == number, as_tuple=True)  # [n] each
            part = expert(rows[row]) * weights[row, choice, None]  # [n, D]
            output = output.index_add(0, row, part.to(output.dtype))
        if self.shared_experts is not None:
            output = output + self.shared_experts(rows) / self.num_shared
        return output.view(hidden_states.shape)

    def _routed(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return the top-k experts [N, top_k] of each row and their weights, whose sum is scale."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        scores, experts = functional.softplus(logits).sqrt().topk(self.top_k, dim=-1)
        load = functional.one_hot(experts, logits.shape[-1]).sum(dim=1).to(logits.dtype).mean(dim=0)
        self.aux_loss = logits.shape[-1] * (load * logits.softmax(dim=-1).mean(dim=0)).sum()
        return experts, self.scale * scores / (scores.sum(dim=-1, keepdim=True) + EPS)

    def _hashed(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the experts (id + 0, 1, …) mod their number, all of equal weight."""
        steps = torch.arange(self.top_k, device=ids.device)
        experts = (ids[:, None] + steps) % len(self.experts)
        return experts, torch.full(experts.shape, self.scale / self.top_k, device=ids.device)
