import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.config.quantization import Clip
from spike_lm.model.quantization.quantized_matrix import largest_code
from spike_lm.model.quantization.quantizer import (
    SHARES,
    clip_values,
    quantize_codes,
    rounded,
    row_scales,
    search_scales,
)

CLIPS = [Clip("max"), Clip("percentile", 99.0), Clip("std", 2.5)]
bits = st.integers(2, 8)


def random_matrix(rows, columns, seed, size=1.0):
    generator = torch.Generator().manual_seed(seed)
    return size * torch.randn(rows, columns, generator=generator)


@given(
    st.integers(1, 6),
    st.integers(1, 40),
    st.integers(0, 100),
    st.sampled_from([0.01, 37.0, 50.0, 99.0, 99.95, 100.0]),
)
def test_percentiles_are_those_of_torch(rows, columns, seed, percent):
    weight = random_matrix(rows, columns, seed)
    expected = torch.quantile(weight.abs(), percent / 100, dim=1)
    torch.testing.assert_close(clip_values(weight, Clip("percentile", percent)), expected)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 100), st.sampled_from(CLIPS), bits)
def test_scales_are_the_clip_over_the_largest_code(rows, columns, seed, clip, bits):
    weight = random_matrix(rows, columns, seed)
    scales = row_scales(weight, bits, clip)
    assert torch.equal(scales, scales.half().float())
    expected = clip_values(weight, clip) / largest_code(bits)
    torch.testing.assert_close(scales, expected, rtol=2**-10, atol=2**-24)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 100), st.sampled_from(CLIPS), bits)
def test_rounds_to_the_nearest_number_of_the_grid(rows, columns, seed, clip, bits):
    weight = random_matrix(rows, columns, seed)
    scales, top = row_scales(weight, bits, clip), largest_code(bits)
    found = rounded(weight, scales, bits)
    numbers = torch.arange(-top, top + 1) * scales[:, None]
    distances = (weight[:, :, None] - numbers[:, None, :]).abs().amin(dim=2)
    torch.testing.assert_close((found - weight).abs(), distances)
    assert quantize_codes(weight, scales, bits).abs().max() <= top


@pytest.mark.parametrize("size", [0.0, 1e-9, 1e-6, 1e9])
@pytest.mark.parametrize("clip", CLIPS)
def test_any_size_gives_finite_numbers(size, clip):
    weight = random_matrix(3, 8, 0, size)
    scales = row_scales(weight, 5, clip)
    assert (scales > 0).all() and rounded(weight, scales, 5).isfinite().all()
    assert (search_scales(weight, 5) > 0).all()


@given(st.integers(1, 5), st.integers(1, 20), st.integers(0, 100), bits, st.booleans())
def test_no_tried_clip_of_a_row_is_better_than_the_one_found(rows, columns, seed, bits, weighted):
    weight = random_matrix(rows, columns, seed)
    counts = torch.rand(columns) + 0.1 if weighted else torch.ones(columns)

    def error(scales):
        return ((rounded(weight, scales, bits) - weight).square() * counts).sum(dim=1)

    found = error(search_scales(weight, bits, counts if weighted else None))
    largest = weight.abs().amax(dim=1) / largest_code(bits)
    for share in SHARES:
        assert (found <= error((share * largest).half().float()) * 1.0001 + 1e-12).all()
