import torch

from spike_lm.model.layers.softcap import softcap
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    logits = 10 * noise(2, 5, 7)
    torch.testing.assert_close(softcap(logits, 3.0), 3 * torch.tanh(logits / 3))
    assert softcap(logits, 3.0).abs().max() < 3
    assert softcap(logits, 0.0) is logits
    assert_causal(lambda x: softcap(x, 3.0), logits)
