import torch
from torch.nn import functional

from spike_lm.model.layers.jepa import JEPAPredictor, cosine_distance
from tests.model.layers.causality import assert_causal, noise


def predictor():
    return JEPAPredictor(dim=4, hidden_dim=3, horizon=2).double()


def test_equals_its_definition():
    block, h = predictor(), noise(2, 5, 4)
    assert torch.equal(block(h, 1), h)
    block.gate.data = noise(2, seed=1)
    block.norm.weight.data = noise(4, seed=2)
    for distance in (1, 2):
        hidden_states = h / (h.square().mean(-1, True) + 1e-6).sqrt() * block.norm.weight
        inner = functional.silu(hidden_states @ block.down.weight.T) @ block.up.weight.T
        expected = h + torch.tanh(block.gate[distance - 1]) * inner
        torch.testing.assert_close(block(h, distance), expected)
    assert_causal(lambda x: block(x, 2), h)


def test_distance_is_one_minus_cosine_and_its_target_has_no_gradient():
    expected, found = noise(5, 4).requires_grad_(), noise(5, 4, seed=1).requires_grad_()
    distance = cosine_distance(expected, found)
    for row in range(5):
        a, b = expected[row], found[row]
        torch.testing.assert_close(distance[row], 1 - a @ b / (a.norm() * b.norm()))
    distance.sum().backward()
    assert expected.grad.abs().max() > 0
    assert found.grad is None
    assert cosine_distance(expected.bfloat16(), found.bfloat16()).dtype == torch.float32
