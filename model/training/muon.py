"""Muon: optimiser of matrices, momentum with orthogonalised updates.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/. A Newton–Schulz iteration brings all
singular values of the momentum near one. torch.optim.Muon computes the same, always in bfloat16,
which takes 20 times as long on CPUs without such instructions. Here the iteration is in float32 on
CPUs, and in one batch for all matrices of one shape.
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

    The quintic has a steep slope at zero, for few steps; it does not converge to 1. The result
    has the shape of the input, in `dtype`.
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
    """Muon with Nesterov momentum, decoupled decay and updates scaled by √max(1, rows/columns).

    Parameters and result are those of torch.optim.Muon.
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
        """Initialise for matrices; `ns_dtype` None: bfloat16 on CUDA devices, else float32."""
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
        """Update every matrix that has a gradient.

        Raises:
            TypeError: a closure is passed, which is not supported.
        """
        if closure is not None:
            raise TypeError("Muon supports no closure; call step() without one")
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
