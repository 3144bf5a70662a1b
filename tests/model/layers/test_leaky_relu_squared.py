import pytest
import torch

from spike_lm.model.layers.leaky_relu_squared import LeakyReLUSquaredMLP
from tests.model.layers.causality import assert_causal, noise


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_equals_its_definition(slope):
    block = LeakyReLUSquaredMLP(dim=3, ffn_dim=7, slope=slope).double()
    stream = noise(2, 5, 3)
    hidden = stream @ block.up_proj.weight.T
    expected = torch.where(hidden > 0, hidden, slope * hidden) ** 2 @ block.down_proj.weight.T
    torch.testing.assert_close(block(stream), expected)
    assert_causal(block, stream)
