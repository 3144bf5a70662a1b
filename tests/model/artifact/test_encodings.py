"""Every layout gives back the numbers it was given, and the search keeps the smallest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spike_lm.model.artifact.encodings import (
    AdaptiveState,
    Coding,
    array_from_bytes,
    possible_layouts,
    smallest_bytes,
    written,
)
from spike_lm.model.quantization.quantized_matrix import largest_code


@st.composite
def numbers(draw):
    """Bits, and an array of such numbers; floats with every bit pattern there is."""
    bits = draw(st.sampled_from([2, 3, 5, 6, 8, 16, 32]))
    if bits >= 16:
        shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
        patterns = draw(arrays.arrays(f"<u{bits // 8}", shape))
        return bits, patterns.view(f"<f{bits // 8}")
    top = largest_code(bits)
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20))
    return bits, draw(arrays.arrays(np.int8, shape, elements=st.integers(-top, top)))


@given(numbers())
def test_every_layout_gives_back_the_array(drawn):
    bits, array = drawn
    for layout in possible_layouts(bits, array.size, array.shape):
        data, _ = written(array, bits, layout, AdaptiveState())
        back = array_from_bytes(
            np.frombuffer(data, np.uint8), bits, array.shape, layout, AdaptiveState()
        )
        assert back.dtype == array.dtype, layout
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()


@given(st.lists(numbers(), max_size=4))
def test_several_arrays_are_read_in_the_order_they_were_written(several):
    learning, learned = AdaptiveState(), AdaptiveState()
    for bits, array in several:
        layout, data = smallest_bytes(array, bits, learning)
        assert len(data) <= array.nbytes
        data = np.frombuffer(data, np.uint8)
        assert array_from_bytes(data, bits, array.shape, layout, learned).tobytes() == (
            array.tobytes()
        )


def test_a_large_array_is_searched_by_a_sample_and_still_read_back():
    codes = np.random.default_rng(0).normal(0, 4, (700, 300)).round().clip(-15, 15).astype(np.int8)
    layout, data = smallest_bytes(codes, 5, AdaptiveState())
    assert layout.coding == Coding.ADAPTIVE
    data = np.frombuffer(data, np.uint8)
    assert np.array_equal(array_from_bytes(data, 5, codes.shape, layout, AdaptiveState()), codes)


@given(numbers(), st.binary(max_size=200))
def test_hostile_bytes_are_refused_or_read_as_numbers(drawn, data):
    bits, array = drawn
    for layout in possible_layouts(bits, array.size, array.shape):
        try:
            back = array_from_bytes(
                np.frombuffer(data, np.uint8), bits, array.shape, layout, AdaptiveState()
            )
        except ValueError:
            continue
        assert back.shape == array.shape


def test_xz_longer_than_it_says_is_refused():
    codes = np.zeros((64, 64), np.int8)
    layout = next(
        found for found in possible_layouts(4, 64 * 64, (64, 64)) if found.coding == Coding.XZ
    )
    data = np.frombuffer(written(codes, 4, layout, AdaptiveState())[0], np.uint8)
    with pytest.raises(ValueError, match="damaged"):
        array_from_bytes(data, 4, (64, 63), layout, AdaptiveState())
