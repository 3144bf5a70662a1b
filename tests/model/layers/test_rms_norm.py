import torch

from spike_lm.model.layers.rms_norm import depth_scale, scaled_norm
from tests.model.layers.causality import assert_causal, noise


def test_rows_have_the_size_of_their_depth():
    for layer in range(12):
        rows = scaled_norm(noise(2, 5, 8), depth_scale(layer))
        expected = torch.full((2, 5), 1 / (layer + 1), dtype=torch.float64)
        torch.testing.assert_close(rows.square().mean(-1), expected)


def test_only_the_size_changes():
    stream = noise(2, 5, 8)
    hidden_states = scaled_norm(stream, 0.25)
    torch.testing.assert_close(hidden_states, stream / stream.square().mean(-1, True).sqrt() / 4)
    assert_causal(lambda x: scaled_norm(x, 0.25), stream)
