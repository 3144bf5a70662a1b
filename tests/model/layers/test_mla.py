import pytest
import torch

from spike_lm.model.layers.attention_inputs import AttentionInputs
from spike_lm.model.layers.mla import LatentAttention
from spike_lm.model.layers.partial_rope import apply_rope_last
from spike_lm.model.layers.rope import rope_cos_sin
from tests.model.layers.causality import assert_causal, noise

TABLES = rope_cos_sin(positions=5, head_dim=4, base=10.0)
STREAM = noise(2, 5, 12)


def attention(use_xsa=False, derf=False, kv_heads=2):
    block = LatentAttention(
        dim=12,
        heads=4,
        kv_heads=kv_heads,
        head_dim=6,
        q_lora_rank=5,
        o_lora_rank=7,
        use_xsa=use_xsa,
        derf=derf,
        norm_eps=1e-6,
    )
    for seed, parameter in enumerate(block.parameters()):
        parameter.data = noise(*parameter.shape, seed=seed)
    return block.requires_grad_(False)


def _normed(x, norm):
    return x / (x.square().mean(-1, True) + 1e-6).sqrt() * norm.weight


@pytest.mark.parametrize("use_xsa", [False, True])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_equals_its_definition(use_xsa, kv_heads):
    block, past = attention(use_xsa, kv_heads=kv_heads), torch.ones(5, 5).tril().bool()
    narrow = _normed(STREAM @ block.q_a_proj.weight.T, block.q_a_norm)
    query = (narrow @ block.q_b_proj.weight.T).unflatten(-1, (4, 6))
    key, value = (
        (STREAM @ part.weight.T).unflatten(-1, (kv_heads, 6))
        for part in (block.k_proj, block.v_proj)
    )
    heads = []
    for h in range(4):
        q, k = _normed(query[:, :, h], block.q_norm), key[:, :, h * kv_heads // 4]
        q, k = apply_rope_last(q, *TABLES), apply_rope_last(_normed(k, block.k_norm), *TABLES)
        scores = (q @ k.mT / 6**0.5).masked_fill(~past, -torch.inf)
        v = value[:, :, h * kv_heads // 4]
        y = torch.softmax(scores, -1) @ v
        if use_xsa:
            y = y - (y * v).sum(-1, True) / v.square().sum(-1, True) * v
        heads.append(y)
    expected = torch.cat(heads, -1) @ block.o_a_proj.weight.T @ block.o_b_proj.weight.T
    torch.testing.assert_close(block(STREAM, AttentionInputs(TABLES)), expected)
    attn_mask = past.expand(2, 1, 5, 5)
    torch.testing.assert_close(block(STREAM, AttentionInputs(TABLES, attn_mask)), expected)


@pytest.mark.parametrize("derf", [False, True])
def test_what_comes_later_changes_nothing(derf):
    block = attention(use_xsa=True, derf=derf)
    assert_causal(lambda x: block(x, AttentionInputs(TABLES)), STREAM)


def test_what_was_kept_is_seen():
    block, kept = attention(), []

    def update_kv(key, value):
        kept.append((key, value))
        return tuple(torch.cat(parts, dim=2) for parts in zip(*kept, strict=True))

    parts = [(0, 2), (2, 5)]
    for start, stop in parts:
        rope = tuple(table[start:stop] for table in TABLES)
        attn_mask = torch.ones(5, 5).tril().bool()[start:stop, :stop].expand(2, 1, -1, -1)
        part = block(STREAM[:, start:stop], AttentionInputs(rope, attn_mask, update_kv))
        torch.testing.assert_close(part, block(STREAM, AttentionInputs(TABLES))[:, start:stop])
