"""Checks that no output sees later inputs."""

from collections.abc import Callable

import torch
from torch import Tensor


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_causal(function: Callable[[Tensor], Tensor], inputs: Tensor, time: int = 1) -> None:
    """Change all inputs after t; outputs up to t stay, to the bit, and the next one does not."""
    before = function(inputs)
    length = inputs.shape[time]
    for t in range(length - 1):
        changed = inputs.clone()
        later = changed.narrow(time, t + 1, length - t - 1)
        later.copy_((later + 1) % 11 if not inputs.is_floating_point() else later * 1.5 + 1)
        after = function(changed)
        assert torch.equal(after.narrow(time, 0, t + 1), before.narrow(time, 0, t + 1))
        assert not torch.equal(after.select(time, t + 1), before.select(time, t + 1))
