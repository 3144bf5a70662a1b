import torch

from spike_lm.model.layers.mtp import IGNORE_INDEX, MTPHeads, mtp_targets
from tests.model.layers.causality import assert_causal, noise

TARGETS = torch.randint(0, 11, (2, 5), generator=torch.Generator().manual_seed(0))


def test_heads_equal_their_definition():
    block, hidden_states = MTPHeads(heads=2, dim=3, vocab_size=11).double(), noise(2, 5, 3)
    for head, logits in zip(block, block(hidden_states), strict=True):
        torch.testing.assert_close(logits, hidden_states @ head.weight.T)
    assert_causal(lambda x: block(x)[1], hidden_states)


def test_targets_equal_their_definition():
    mask = torch.tensor([[True, True, False, True, True], [False, True, True, True, False]])
    for k, ahead in enumerate(mtp_targets(TARGETS, 6, mask)):
        for b in range(2):
            for t in range(5):
                there = t + k + 1 < 5 and mask[b, t + k + 1]
                assert ahead[b, t] == (TARGETS[b, t + k + 1] if there else IGNORE_INDEX)
    assert torch.equal(mtp_targets(TARGETS, 1)[0][:, :-1], TARGETS[:, 1:])
