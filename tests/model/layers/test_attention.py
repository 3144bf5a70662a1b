import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model.layers.attention import Attention
from spike_lm.model.layers.attention_inputs import AttentionInputs
from spike_lm.model.layers.feed_forward import FeedForward
from spike_lm.model.layers.rope import apply_rope, rope_cos_sin


@settings(deadline=None, max_examples=30)
@given(shift=st.integers(0, 40), seed=st.integers(0, 1000))
def test_rotary_products_know_only_the_distance(shift, seed):
    cosines, sines = rope_cos_sin(positions=64, head_dim=8, base=100.0)
    cosines, sines = cosines.double(), sines.double()
    query, key = torch.randn(2, 20, 8, dtype=torch.float64, generator=_generator(seed))

    def products(start):
        rows = slice(start, start + 20)
        turned = (apply_rope(x, cosines[rows], sines[rows]) for x in (query, key))
        return next(turned) @ next(turned).T

    torch.testing.assert_close(products(shift), products(0), rtol=0, atol=1e-5)


def test_rotary_turns_pairs_by_position_times_frequency():
    cosines, sines = rope_cos_sin(positions=3, head_dim=4, base=16.0)
    turned = apply_rope(torch.tensor([1.0, 0.0, 0.0, 1.0]).expand(3, 4), cosines, sines)
    for t in range(3):
        # Pair 0 is numbers 0 and 2, at angle t; pair 1 is numbers 1 and 3, at angle t / 4.
        expected = [math.cos(t), -math.sin(t / 4), math.sin(t), math.cos(t / 4)]
        torch.testing.assert_close(turned[t], torch.tensor(expected))


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_attention_equals_its_definition(kv_heads):
    generator = _generator(0)
    attention = Attention(dim=12, heads=4, kv_heads=kv_heads, head_dim=6, norm_eps=1e-6)
    for parameter in attention.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    stream = torch.randn(2, 5, 12, generator=generator)
    rope = rope_cos_sin(positions=5, head_dim=6, base=10.0)
    torch.testing.assert_close(
        attention(stream, AttentionInputs(rope)), _attention(attention, stream, rope, 4 // kv_heads)
    )


def _attention(attention, stream, rope, group):
    """Attention, one token and head at a time."""

    def normed(head, weight):
        return head / (head.square().mean() + 1e-6).sqrt() * weight

    def turned(head, t):
        return apply_rope(head[None], rope[0][t : t + 1], rope[1][t : t + 1])[0]

    out = torch.zeros(stream.shape[0], stream.shape[1], 24)
    for b, rows in enumerate(stream):
        queries, keys, values = (
            (rows @ getattr(attention, name).weight.T).unflatten(1, (-1, 6))
            for name in ("q_proj", "k_proj", "v_proj")
        )
        for t in range(len(rows)):
            for h in range(4):
                query = turned(normed(queries[t, h], attention.q_norm.weight), t)
                g = h // group
                scores = torch.stack(
                    [
                        query @ turned(normed(keys[s, g], attention.k_norm.weight), s)
                        for s in range(t + 1)
                    ]
                )
                weights = torch.softmax(scores / 6**0.5, dim=0)
                out[b, t, 6 * h : 6 * h + 6] = weights @ values[: t + 1, g]
    return out @ attention.o_proj.weight.T


def test_feed_forward_equals_its_definition():
    block = FeedForward(dim=3, ffn_dim=5)
    x = torch.randn(7, 3, generator=_generator(1))
    gate, up = x @ block.gate_proj.weight.T, x @ block.up_proj.weight.T
    expected = (gate / (1 + torch.exp(-gate)) * up) @ block.down_proj.weight.T
    torch.testing.assert_close(block(x), expected)


def _generator(seed):
    return torch.Generator().manual_seed(seed)
