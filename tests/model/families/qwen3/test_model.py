import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model.families.parameter_roles import count_parameters
from tests.model.tiny import VOCAB, build_plain, tiny_config

IDS = torch.randint(0, VOCAB, (2, 12), generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("t", range(12))
def test_what_comes_later_changes_nothing(model, t):
    changed = IDS.clone()
    changed[:, t + 1 :] = (changed[:, t + 1 :] + 7) % VOCAB
    assert torch.equal(model(IDS)[:, : t + 1], model(changed)[:, : t + 1])
    if t < 11:
        assert not torch.equal(model(IDS)[:, t + 1], model(changed)[:, t + 1])


def test_every_earlier_token_matters(model):
    for t in range(12):
        changed = IDS.clone()
        changed[:, t] = (changed[:, t] + 1) % VOCAB
        assert not torch.allclose(model(IDS)[:, -1], model(changed)[:, -1])


def test_a_fresh_model_is_its_tables_alone():
    config = tiny_config().model
    model = build_plain(config, VOCAB)
    expected = model.model.norm(model.model.embed_tokens(IDS)) @ model.model.embed_tokens.weight.T
    torch.testing.assert_close(model(IDS), expected)


def test_equal_seeds_give_equal_weights_and_leave_the_random_state_alone():
    config = tiny_config().model
    before = torch.get_rng_state()
    first, second, other = (build_plain(config, VOCAB, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    assert not torch.equal(first.model.embed_tokens.weight, other.model.embed_tokens.weight)


@settings(deadline=None, max_examples=20)
@given(
    layers=st.integers(1, 3),
    dim=st.integers(1, 20),
    kv_heads=st.integers(1, 3),
    group=st.integers(1, 3),
    ffn_dim=st.integers(1, 30),
    tied=st.booleans(),
)
def test_parameters_without_allocating_any(layers, dim, kv_heads, group, ffn_dim, tied):
    heads = kv_heads * group
    config = tiny_config(
        f"model.layers={layers}",
        f"model.dim={dim}",
        f"model.kv_heads={kv_heads}",
        f"model.heads={heads}",
        f"model.ffn_dim={ffn_dim}",
        f"model.tie_embeddings={str(tied).lower()}",
    ).model
    model = build_plain(config, 1000, device="meta")
    attention = 8 * dim * (2 * heads + 2 * kv_heads) + 2 * 8
    block = attention + 3 * dim * ffn_dim + 2 * dim
    tables = 1000 * dim * (1 if tied else 2)
    assert count_parameters(model) == layers * block + dim + tables
    multiplied = layers * block + dim + 1000 * dim
    assert model.flops_per_token() == 6 * multiplied + 12 * layers * heads * 8 * 12
    assert all(parameter.is_meta for parameter in model.parameters())


def test_softcap_bounds_the_logits(model):
    capped = build_plain(tiny_config("model.logit_softcap=0.5").model, VOCAB)
    capped.load_state_dict(model.state_dict())
    plain = model(IDS)
    assert plain.abs().max() > 0.5
    torch.testing.assert_close(capped(IDS), 0.5 * torch.tanh(plain / 0.5))
