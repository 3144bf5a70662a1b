import torch

from spike_lm.model.layers.value_residual import ValueResidual
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    block, value, first = ValueResidual().double(), noise(2, 3, 5, 4), noise(2, 3, 5, 4, seed=1)
    torch.testing.assert_close(block(value, first), (value + first) / 2)
    block.shares.data = torch.tensor([0.25, 3.0], dtype=torch.float64)
    torch.testing.assert_close(block(value, first), 0.25 * first + 3 * value)
    assert_causal(lambda x: block(x, first), value, time=2)
    assert_causal(lambda x: block(value, x), first, time=2)
