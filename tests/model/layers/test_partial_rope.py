import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spike_lm.model.layers.partial_rope import apply_rope_first, apply_rope_last, ntk_scaled_base
from spike_lm.model.layers.rope import rope_cos_sin
from tests.model.layers.causality import assert_causal, noise

TABLES = rope_cos_sin(positions=5, head_dim=4, base=9.0)


def test_equals_its_definition():
    heads = noise(3, 5, 10)
    turned = apply_rope_first(heads, *TABLES)
    for t in range(5):
        for pair in range(2):
            angle = t / 9.0 ** (pair / 2)
            a, b = heads[:, t, pair], heads[:, t, pair + 2]
            expected = [
                a * math.cos(angle) - b * math.sin(angle),
                a * math.sin(angle) + b * math.cos(angle),
            ]
            for index, value in zip((pair, pair + 2), expected, strict=True):
                torch.testing.assert_close(turned[:, t, index], value, rtol=0, atol=1e-6)
    assert torch.equal(turned[..., 4:], heads[..., 4:])


def test_the_last_numbers_turn_as_the_first_do():
    heads = noise(3, 5, 10)
    turned = apply_rope_last(heads, *TABLES)
    assert torch.equal(turned[..., 6:], apply_rope_first(heads[..., 6:], *TABLES))
    assert torch.equal(turned[..., :6], heads[..., :6])


def test_what_comes_later_changes_nothing():
    assert_causal(lambda heads: apply_rope_first(heads, *TABLES), noise(3, 5, 10))


@given(
    base=st.floats(2, 1e6),
    length=st.integers(1, 10**6),
    dim=st.integers(2, 64).map(lambda n: 2 * n),
)
def test_the_slowest_pair_turns_as_far_as_at_the_base_length(base, length, dim):
    stretched = ntk_scaled_base(base, length=length, base_length=1024, rope_dims=dim)
    slowest = (dim - 2) / dim
    if length <= 1024:
        assert stretched == base
    else:
        assert length * stretched**-slowest == pytest.approx(1024 * base**-slowest)


def test_no_base_length_and_a_single_pair_keep_the_base():
    assert ntk_scaled_base(50.0, length=9999, base_length=0, rope_dims=16) == 50.0
    assert ntk_scaled_base(50.0, length=9999, base_length=1, rope_dims=2) == 50.0
