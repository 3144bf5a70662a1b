import torch

from spike_lm.model.layers.mtp_states import MTPStates
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    block, hidden_states = MTPStates(heads=2, dim=4).double(), noise(2, 5, 4)
    for head, state in zip(block, block(hidden_states), strict=True):
        torch.testing.assert_close(state, hidden_states + hidden_states @ head.proj.weight.T)
    assert_causal(lambda x: block(x)[1], hidden_states)


def test_zero_is_identity():
    block, hidden_states = MTPStates(heads=1, dim=4).double(), noise(2, 5, 4)
    block[0].proj.weight.data.zero_()
    assert torch.equal(block(hidden_states)[0], hidden_states)
