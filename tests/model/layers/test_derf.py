import math

import torch

from spike_lm.model.layers.derf import derf
from tests.model.layers.causality import assert_causal, noise


def test_equals_its_definition():
    x, slope, shift, height = noise(2, 5, 3), *(noise(3, seed=seed) for seed in (1, 2, 3))
    found = derf(x, slope, shift, height)
    for b in range(2):
        for t in range(5):
            for d in range(3):
                bent = math.erf(slope[d] * x[b, t, d] + shift[d])
                expected = (height[d] * bent + height[d]) / 2
                torch.testing.assert_close(found[b, t, d], expected)


def test_what_comes_later_changes_nothing():
    assert_causal(lambda x: derf(x, *torch.ones(3, 1)), noise(2, 5, 3))
