import torch

from spike_lm.model.layers.qk_norm import qk_norm
from tests.model.layers.causality import assert_causal, noise

QUERY, KEY, GAIN = noise(2, 4, 5, 6), noise(2, 2, 5, 6, seed=1), noise(4, seed=2)


def test_equals_its_definition():
    query, key = qk_norm(QUERY, KEY, GAIN)
    for h in range(4):
        for t in range(5):
            row = QUERY[1, h, t]
            expected = GAIN[h] * row / row.square().mean().sqrt()
            torch.testing.assert_close(query[1, h, t], expected)
    torch.testing.assert_close(key, KEY / KEY.square().mean(-1, keepdim=True).sqrt())


def test_what_comes_later_changes_nothing():
    assert_causal(lambda query: qk_norm(query, KEY, GAIN)[0], QUERY, time=2)
    assert_causal(lambda key: qk_norm(QUERY, key, GAIN)[1], KEY, time=2)
