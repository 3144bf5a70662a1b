import math

import torch

from spike_lm.model.layers.token_reinjection import reinject_tokens
from tests.model.layers.causality import assert_causal, noise

STREAM, EMBEDDED = noise(2, 5, 3), noise(2, 5, 3, seed=1)


def test_equals_its_definition():
    gate = torch.tensor(0.7, dtype=torch.float64)
    again = reinject_tokens(STREAM, EMBEDDED, gate)
    torch.testing.assert_close(again, STREAM + math.tanh(0.7) * EMBEDDED)
    assert torch.equal(reinject_tokens(STREAM, EMBEDDED, 0 * gate), STREAM)


def test_what_comes_later_changes_nothing():
    gate = torch.tensor(0.7, dtype=torch.float64)
    assert_causal(lambda x: reinject_tokens(STREAM, x, gate), EMBEDDED)
