"""Hessians for GPTQ: for each matrix the mean of x xᵀ over its inputs x in real text.

An error E of a matrix causes the output error E x, whose mean square is tr(E H Eᵀ) with this mean
H, half the Hessian that GPTQ uses (Frantar et al. 2022, arXiv:2210.17323). All modules multiply by
`functional.linear`, and layers that run several times call it several times. So calls of that
function are recorded, not of modules. The output layer is not called: its inputs are the hidden
states.

A tied table is multiplied and looked up. An error in a row of the output layer counts by the
probability of its id; in the same row as an embedding, by the frequency of the id. Both are in
about one proportion for all rows. So the table's H is that of the output layer plus a multiple of
the identity for the look-ups, for which all columns are equal. With a tenth of the mean diagonal
four bits lost least (docs/lab-notes.md). A table that is only looked up has no H: its rows are
rounded to the nearest.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ..families.language_model import LanguageModel
from ..families.parameter_roles import quantizable_weights

BLOCK = 256  # columns
LOOKED_UP = 0.1  # of the mean diagonal, for a tied table


class _InputRecorder(TorchFunctionMode):
    """Recorder of the sum of x xᵀ over the inputs of these matrices."""

    def __init__(self, matrices: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self.names = {id(matrix): name for name, matrix in matrices.items()}
        self.looked_up: set[str] = set()
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
        named = kwargs or {}
        if func is functional.linear:
            name = self._name(*args[1:2], **named)
            inputs = args[0] if args else named["input"]
            # An expert that no token chose has no inputs.
            if name is not None and inputs.numel():
                self.add(name, inputs)
        elif func is functional.embedding:
            name = self._name(*args[1:2], **named)
            if name is not None:
                self.looked_up.add(name)
        return func(*args, **named)

    def _name(self, weight: Tensor, **_: Any) -> str | None:
        # `weight` is the name of the second parameter of both `linear` and `embedding`.
        return self.names.get(id(weight))

    def add(self, name: str, inputs: Tensor) -> None:
        """Add the inputs of a matrix, [..., columns]."""
        if self.newest is None or self.newest[0] is not inputs:
            self.newest = (inputs, upper_products(inputs.flatten(0, -2).float()))
        product = self.newest[1]
        count = inputs.numel() // inputs.shape[-1]
        self.sums[name] = self.sums[name].add_(product) if name in self.sums else product.clone()
        self.counts[name] = self.counts.get(name, 0) + count


def upper_products(rows: Tensor) -> Tensor:
    """Return the sum of x xᵀ over rows [count, columns]; blocks below the diagonal are zero.

    This is little more than half the work of the whole product.
    """
    columns = rows.shape[1]
    product = rows.new_zeros(columns, columns)
    for start in range(0, columns, BLOCK):
        product[start : start + BLOCK, start:] = rows[:, start : start + BLOCK].T @ rows[:, start:]
    return product


@torch.no_grad()
def gather_hessians(
    model: LanguageModel,
    sequences: Iterable[NDArray[np.integer]],
    names: Collection[str] | None = None,
) -> dict[str, Tensor]:
    """Return the mean of x xᵀ for each matrix that has multiplied inputs, by name.

    Tables that are only looked up, and experts that no token chose, have none.

    Args:
        model: in evaluation mode, where memory tokens precede the text and layers loop.
        sequences: ids [batch, time] each, of training text or sampled from the model, never of
            validation text.
        names: of the matrices; None: all.

    Returns:
        float32 [columns, columns] each, on the model's device.
    """
    matrices = quantizable_weights(model)
    recorder = _InputRecorder(
        {name: matrices[name] for name in matrices if names is None or name in names}
    )
    output = model.output_weight
    device = model.device
    for ids in sequences:
        with recorder:
            hidden_states = model.backbone(torch.from_numpy(ids.astype(np.int64)).to(device))
        # These are the output layer's inputs; its logits are not needed.
        if names is None or output in names:
            recorder.add(output, hidden_states)
        recorder.newest = None
    hessians = {
        name: (upper.triu() + upper.triu(1).T) / recorder.counts[name]
        for name, upper in recorder.sums.items()
    }
    for name in recorder.looked_up & hessians.keys():
        diagonal = hessians[name].diagonal()
        diagonal.add_(LOOKED_UP * diagonal.mean())
    return hessians
