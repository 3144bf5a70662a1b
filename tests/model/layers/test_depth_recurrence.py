from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.layers.depth_recurrence import layer_order


def test_the_order_of_the_record():
    order = layer_order(11, [3, 4, 5], 3)
    assert [layer for layer, _ in order] == [0, 1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9, 10]
    assert [layer for layer, first in order if first] == list(range(11))


@given(layers=st.integers(1, 12), first=st.integers(0, 11), last=st.integers(0, 11))
def test_one_pass_is_the_plain_order(layers, first, last):
    loop = [layer for layer in range(first, last + 1) if layer < layers]
    assert layer_order(layers, loop, 1) == [(layer, True) for layer in range(layers)]
    assert len(layer_order(layers, loop, 4)) == layers + 3 * len(loop)
