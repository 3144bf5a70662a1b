import torch

from spike_lm.model.layers.xsa import remove_self_value
from tests.model.layers.causality import assert_causal, noise

GATHERED, VALUE = noise(2, 6, 5, 4), noise(2, 3, 5, 4, seed=1)


def test_equals_its_definition():
    left = remove_self_value(GATHERED, VALUE)
    for h in range(6):
        for t in range(5):
            y, v = GATHERED[0, h, t], VALUE[0, h // 2, t]
            torch.testing.assert_close(left[0, h, t], y - (y @ v) / (v @ v) * v)
            assert abs(left[0, h, t] @ v) < 1e-12


def test_a_value_of_zero_takes_nothing():
    assert torch.equal(remove_self_value(GATHERED, torch.zeros_like(VALUE)), GATHERED)


def test_what_comes_later_changes_nothing():
    assert_causal(lambda gathered: remove_self_value(gathered, VALUE), GATHERED, time=2)
    assert_causal(lambda value: remove_self_value(GATHERED, value), VALUE, time=2)
