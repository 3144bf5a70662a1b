import torch

from spike_lm.model.layers.memory_tokens import MemoryTokens
from tests.model.layers.causality import assert_causal, noise


def block():
    memory = MemoryTokens(count=2, dim=3).double()
    memory.rows.data = noise(2, 3, seed=1)
    return memory


def test_takes_the_place_of_the_first_tokens_or_stands_before_them():
    memory, stream = block(), noise(4, 5, 3)
    over, before = memory.overwrite(stream), memory.prepend(stream)
    assert over.shape == (4, 5, 3)
    assert before.shape == (4, 7, 3)
    for row in range(4):
        assert torch.equal(over[row], torch.cat([memory.rows, stream[row, 2:]]))
        assert torch.equal(before[row], torch.cat([memory.rows, stream[row]]))


def test_what_comes_later_changes_nothing():
    assert_causal(lambda x: block().prepend(x)[:, 2:], noise(4, 5, 3))
    hidden = noise(4, 2, 3, seed=2)
    assert_causal(lambda x: block().overwrite(torch.cat([hidden, x], dim=1))[:, 2:], noise(4, 5, 3))
