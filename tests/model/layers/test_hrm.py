import torch
from torch.nn import functional

from spike_lm.model.layers.hrm import HRMRefine
from tests.model.layers.causality import assert_causal, noise


def refine():
    return HRMRefine(dim=4, hidden_dim=3, steps=2).double()


def test_equals_its_definition():
    block, x = refine(), noise(2, 5, 4)
    block.gate.data = noise(2, seed=1)
    block.norm.weight.data = noise(4, seed=2)
    h = x
    for gate in block.gate:
        hidden_states = h / (h.square().mean(-1, True) + 1e-6).sqrt() * block.norm.weight
        inner = torch.cat([hidden_states, x], -1) @ block.down.weight.T
        h = h + torch.tanh(gate) * (functional.silu(inner) @ block.up.weight.T)
    torch.testing.assert_close(block(x), h)
    assert_causal(block, x)


def test_starts_as_identity_and_learns():
    block, x = refine(), noise(2, 5, 4)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    assert block.gate.grad[0] != 0
