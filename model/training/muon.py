"""Muon: momentum whose singular values are all brought near one.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/. torch.optim.Muon does the same in
bfloat16 always, which on CPUs without such instructions takes 20 times as long; here the iteration
runs in float32 on CPUs, and matrices of one shape go through it together.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

NS_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
EPS = 1e-7


def newton_schulz(
    matrices: Tensor, *, ns_steps: int = 5, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Map the singular values of matrices [N, rows, columns] to between about 0.7 and 1.2.

    The quintic has the steepest slope at zero, for few steps; it does not converge to 1.
    Returns the shape given, in `dtype`.
    """
    a, b, c = NS_COEFFICIENTS
    wide = matrices.to(dtype)
    tall = wide.shape[-2] > wide.shape[-1]
    if tall:
        wide = wide.mT
    # The spectral norm must not exceed 1; the Frobenius norm bounds it.
    wide = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=EPS)
    for _ in range(ns_steps):
        gram = wide @ wide.mT
        wide = torch.baddbmm(wide, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.mT if tall else wide


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum, decoupled decay and steps scaled by √max(1, rows/columns).

    The names are those of torch.optim.Muon, and so is the result.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        *,
        lr: float,
        weight_decay: float,
        momentum: float,
        ns_steps: int = 5,
        ns_dtype: torch.dtype | None = None,
    ) -> None:
        """Initialise for matrices only; `ns_dtype` None: bfloat16 on CUDA devices, else float32."""
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "ns_steps": ns_steps,
            "ns_dtype": ns_dtype,
            # Factor of the buffer, a weighted mean, before a step with another momentum:
            # (1 - m) / (1 - m before) keeps it proportional to the sum that it represents.
            "rescale": 1.0,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient. A closure is not supported."""
        if closure is not None:
            raise TypeError("Muon takes no closure")
        for group in self.param_groups:
            of_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    of_shape[matrix.shape].append(matrix)
            for matrices in of_shape.values():
                self._move(matrices, group)

    def _move(self, matrices: list[Tensor], group: dict[str, Any]) -> None:
        """Update matrices of one shape."""
        momentum, lr = group["momentum"], group["lr"]
        ahead = []
        for matrix in matrices:
            state = self.state[matrix]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            buffer = state["momentum_buffer"]
            if group["rescale"] != 1.0:
                buffer.mul_(group["rescale"])
            buffer.lerp_(matrix.grad, 1 - momentum)
            ahead.append(buffer.lerp(matrix.grad, 1 - momentum))
        on_cuda = matrices[0].device.type == "cuda"
        dtype = group["ns_dtype"] or (torch.bfloat16 if on_cuda else torch.float32)
        updates = newton_schulz(torch.stack(ahead), ns_steps=group["ns_steps"], dtype=dtype)
        rows, columns = matrices[0].shape
        length = lr * max(1.0, rows / columns) ** 0.5
        for matrix, update in zip(matrices, updates.to(matrices[0].dtype), strict=True):
            matrix.mul_(1 - lr * group["weight_decay"])
            matrix.add_(update, alpha=-length)
