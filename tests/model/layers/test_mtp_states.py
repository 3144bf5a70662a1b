import torch

from spike_lm.model.layers.mtp_states import MTPStates
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    block, normed = MTPStates(heads=2, width=4).double(), noise(2, 5, 4)
    for head, state in zip(block.heads, block(normed), strict=True):
        torch.testing.assert_close(state, normed + normed @ head.weight.T)
    assert_causal(lambda x: block(x)[1], normed)


def test_zero_is_identity():
    block, normed = MTPStates(heads=1, width=4).double(), noise(2, 5, 4)
    block.heads[0].weight.data.zero_()
    assert torch.equal(block(normed)[0], normed)
