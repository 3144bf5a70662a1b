import torch

from spike_lm.model.layers.smear_gate import SmearGate
from tests.model.layers.causality import assert_causal, noise

BEGINS = torch.tensor([[False, False, True, False, False], [True, False, False, True, True]])


def test_equals_its_definition():
    block, stream = SmearGate(dim=4).double(), noise(2, 5, 4)
    assert torch.equal(block(stream, BEGINS)[0, 1], (stream[0, 1] + stream[0, 0]) / 2)
    block.gate.data = noise(4, seed=1)
    smeared, share = block(stream, BEGINS), 1 / (1 + torch.exp(-block.gate))
    for b in range(2):
        for t in range(5):
            before = stream[b, t - 1] if t else torch.zeros(4)
            mixed = (1 - share) * stream[b, t] + share * before
            torch.testing.assert_close(smeared[b, t], stream[b, t] if BEGINS[b, t] else mixed)


def test_what_comes_later_changes_nothing():
    block = SmearGate(dim=4).double()
    assert_causal(lambda x: block(x, BEGINS), noise(2, 5, 4))


def test_a_document_does_not_see_the_one_before():
    block, stream = SmearGate(dim=4).double(), noise(1, 5, 4)
    changed = torch.cat([stream[:, :2] + 1, stream[:, 2:]], dim=1)
    assert torch.equal(block(stream, BEGINS[:1])[:, 2:], block(changed, BEGINS[:1])[:, 2:])
