import torch
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.quantization.pruning import smallest_weights


@given(st.integers(1, 6), st.integers(1, 20), st.floats(0, 0.999), st.integers(0, 1000))
def test_are_as_many_as_asked_for_and_the_smallest(rows, columns, share, seed):
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    chosen = smallest_weights(weight, share)
    count = int(share * weight.numel())
    if not count:
        assert chosen is None
        return
    assert chosen.sum() == count
    assert weight[chosen].abs().max() <= weight[~chosen].abs().min()


def test_of_equal_weights_none_is_chosen_by_chance():
    assert not smallest_weights(torch.ones(3, 4), 0.5).any()
