import math

import torch

from spike_lm.model.layers.token_reinjection import embedding_again
from tests.model.layers.causality import assert_causal, noise

STREAM, EMBEDDED = noise(2, 5, 3), noise(2, 5, 3, seed=1)


def test_equals_its_definition():
    gate = torch.tensor(0.7, dtype=torch.float64)
    again = embedding_again(STREAM, EMBEDDED, gate)
    torch.testing.assert_close(again, STREAM + math.tanh(0.7) * EMBEDDED)
    assert torch.equal(embedding_again(STREAM, EMBEDDED, 0 * gate), STREAM)


def test_what_comes_later_changes_nothing():
    gate = torch.tensor(0.7, dtype=torch.float64)
    assert_causal(lambda x: embedding_again(STREAM, x, gate), EMBEDDED)
