import math

import pytest
import torch

from spike_lm.model.layers.derf_attention import DerfAttention
from tests.model.layers.causality import assert_causal, noise

QUERY, KEY, VALUE = noise(2, 4, 5, 6), noise(2, 2, 5, 6, seed=1), noise(2, 2, 5, 6, seed=2)


@pytest.mark.parametrize("masked", [False, True])
def test_equals_its_definition(masked):
    block = DerfAttention(heads=4).double().requires_grad_(False)
    for seed, parameter in enumerate(block.parameters(), 3):
        parameter.data = noise(4, 1, 1, seed=seed).abs()
    attn_mask = (torch.arange(25).view(1, 1, 5, 5) % 3 > 0) | torch.eye(5, dtype=torch.bool)
    found = block(QUERY, KEY, VALUE, attn_mask if masked else None)
    for h in range(4):
        slope, shift, height = (float(p[h]) for p in block.parameters())
        for t in range(5):
            seen = [s for s in range(5) if (attn_mask[0, 0, t, s] if masked else s <= t)]
            scores = [float(QUERY[0, h, t] @ KEY[0, h // 2, s]) / 6**0.5 for s in seen]
            weights = [height * (math.erf(slope * s + shift) + 1) / 2 for s in scores]
            total = sum(w * VALUE[0, h // 2, s] for w, s in zip(weights, seen, strict=True))
            torch.testing.assert_close(found[0, h, t], total / (sum(weights) + 1e-8))


def test_what_comes_later_changes_nothing():
    block = DerfAttention(heads=4).double()
    assert_causal(lambda key: block(QUERY, key, VALUE, None), KEY, time=2)
    assert_causal(lambda value: block(QUERY, KEY, value, None), VALUE, time=2)
