import pytest
import torch

from spike_lm.model.layers.residual import ResidualBranches
from tests.model.layers.causality import assert_causal, noise


@pytest.mark.parametrize("parallel", [False, True])
def test_equals_its_definition(parallel):
    block = ResidualBranches(dim=4, parallel=parallel, norm_scale=0.5).double()
    block.attn_scale.data, block.mlp_scale.data = noise(4, seed=1), noise(4, seed=2)
    stream = noise(2, 5, 4)

    def attend(x):
        return x.cumsum(dim=1)

    def normed(x):
        return 0.5 * x / x.square().mean(-1, True).sqrt()

    after = stream + block.attn_scale * attend(normed(stream))
    read = stream if parallel else after
    expected = after + block.mlp_scale * torch.sin(normed(read))
    torch.testing.assert_close(block(stream, attend, torch.sin), expected)
    assert_causal(lambda x: block(x, attend, torch.sin), stream)
