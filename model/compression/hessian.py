"""Gathers what matrices multiply: for each the mean of x xᵀ over the inputs x of real text.

To an error E of a matrix the layer's output owes the error E x, whose mean square is tr(E H Eᵀ)
with this mean H: half the Hessian of that error, as GPTQ calls it. Whoever multiplies by a matrix
does so by `functional.linear`, modules, output layers and experts alike, and layers that run
several times do it several times: so not modules are watched but that function.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..assembly import Model
from .matrices import named_matrices

ROWS = 1024  # hidden rows whose logits are held at once


class _Watch(TorchFunctionMode):
    """Adds up x xᵀ wherever one of these matrices multiplies."""

    def __init__(self, matrices: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self.names = {id(matrix): name for name, matrix in matrices.items()}
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        # Several matrices often read one input, one after the other.
        self.newest: tuple[Tensor, Tensor] | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is functional.linear:
            weight = args[1] if len(args) > 1 else given["weight"]
            name = self.names.get(id(weight))
            if name is not None:
                self._add(name, args[0] if args else given["input"])
        return func(*args, **given)

    def _add(self, name: str, read: Tensor) -> None:
        if self.newest is None or self.newest[0] is not read:
            rows = read.flatten(0, -2).float()
            self.newest = (read, rows.T @ rows)
        product = self.newest[1]
        count = read.numel() // read.shape[-1]
        self.sums[name] = self.sums[name].add_(product) if name in self.sums else product.clone()
        self.counts[name] = self.counts.get(name, 0) + count


@torch.no_grad()
def gather_hessians(model: Model, sequences: Iterable[NDArray[np.integer]]) -> dict[str, Tensor]:
    """Return the mean of x xᵀ for each matrix that has multiplied anything, by name.

    What is only looked up has none, and an expert that no token chose. A tied table's is that of
    the output layer.

    Args:
        model: in evaluation mode, where memory stands before the text and layers loop.
        sequences: of training text or of the model's own, never of validation text; ids
            [batch, time] each.

    Returns:
        float32 [columns, columns] each, on the model's device.
    """
    watch = _Watch(named_matrices(model))
    device = model.embedding.weight.device
    for ids in sequences:
        with watch:
            normed = model.trunk(torch.from_numpy(ids.astype(np.int64)).to(device))
            for rows in torch.split(normed.flatten(0, 1), ROWS):
                model.logits(rows)
        watch.newest = None
    return {name: total / watch.counts[name] for name, total in watch.sums.items()}
