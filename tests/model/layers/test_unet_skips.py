import pytest
import torch

from spike_lm.model.layers.unet_skips import UNetSkips
from tests.model.layers.causality import assert_causal, noise


@pytest.mark.parametrize(
    ("layers", "partners"),
    [
        (1, {}),
        (2, {1: 0}),
        (5, {2: 1, 3: 0}),
        (11, {5: 4, 6: 3, 7: 2, 8: 1, 9: 0}),
        (10, {5: 4, 6: 3, 7: 2, 8: 1, 9: 0}),
    ],
)
def test_late_layers_read_early_ones_in_reverse(layers, partners):
    skips, pushed = UNetSkips(layers=layers, dim=3).double(), []
    skips.weights.data = noise(layers // 2, 3)
    for layer in range(layers):
        read = skips.pop(torch.zeros(1, 1, 3, dtype=torch.float64), layer, pushed)
        expected = torch.zeros(3, dtype=torch.float64)
        if layer in partners:
            expected = skips.weights[layer - layers // 2] * (partners[layer] + 1)
        torch.testing.assert_close(read[0, 0], expected)
        skips.push(torch.full((1, 1, 3), layer + 1.0, dtype=torch.float64), layer, pushed)
    assert not pushed


def test_what_comes_later_changes_nothing():
    skips = UNetSkips(layers=2, dim=3).double()
    assert_causal(lambda x: skips.pop(x, 1, [x * 2]), noise(2, 5, 3))
