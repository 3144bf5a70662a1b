import torch

from spike_lm.model.layers.x0_mix import ResidualMix
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    block, stream, first = ResidualMix(dim=4).double(), noise(2, 5, 4), noise(2, 5, 4, seed=1)
    assert torch.equal(block(stream, first), stream)
    block.stream.data, block.first.data = noise(4, seed=2), noise(4, seed=3)
    for d in range(4):
        expected = block.stream[d] * stream[..., d] + block.first[d] * first[..., d]
        torch.testing.assert_close(block(stream, first)[..., d], expected)
    assert_causal(lambda x: block(x, first), stream)
    assert_causal(lambda x: block(stream, x), first)
