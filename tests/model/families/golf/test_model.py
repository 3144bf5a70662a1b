import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spike_lm.model.families.build import build_model
from spike_lm.model.families.parameter_roles import count_parameters, exported_parameters
from spike_lm.model.layers.partial_rope import apply_rope_first
from spike_lm.model.layers.rope import rope_cos_sin
from tests.model.tiny import VOCAB, golf_config, shaken, tiny_config

SEPARATOR = 3
IDS = torch.randint(4, VOCAB, (2, 12), generator=torch.Generator().manual_seed(3))
IDS[0, 5] = SEPARATOR
MEMORY = 3


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("looping", [False, True])
def test_equals_its_definition(golf, training, looping):
    golf.train(training)
    golf.model.looping = looping
    loops = 3 if looping or not training else 1
    hidden = golf.backbone(IDS)
    torch.testing.assert_close(hidden, _trunk(golf, IDS, training, loops))
    logits = 5 * torch.tanh(hidden @ golf.model.embed_tokens.weight.T / 5)
    torch.testing.assert_close(golf.logits(hidden), logits)


def _trunk(golf, ids, training, loops):
    """The whole model in plain operations, for the configuration in tiny.py."""
    stream = _norm(golf.model.embed_tokens.weight[ids] + golf.model.bigram_embedding(ids))
    share = torch.sigmoid(golf.model.smear_gate.gate)
    before = torch.cat([torch.zeros(2, 1, 16), stream[:, :-1]], dim=1)
    begins = (ids == SEPARATOR).unsqueeze(-1)
    stream = torch.where(begins, stream, (1 - share) * stream + share * before)
    narrow = golf.model.value_embedding.table.weight[ids] @ golf.model.value_embedding.proj.weight.T
    rows = golf.model.memory_tokens.rows.expand(2, -1, -1)
    hidden = MEMORY if training else 0
    first = stream = torch.cat([rows, stream[:, hidden:]], dim=1)
    narrow = torch.cat([torch.zeros(2, MEMORY, 16), narrow[:, hidden:]], dim=1)
    first_value, outputs = None, {}
    for turn, i in enumerate([0, 1, *[2, 3] * loops, 4, 5]):
        block = golf.layers[i]
        if (i >= 3 and turn < 4) or i >= 4:
            stream = stream + golf.model.unet_skips.weights[i - 3] * outputs[5 - i]
        u = block.x0_mix.stream * stream + block.x0_mix.first * first
        scale = (i + 1) ** -0.5
        hidden_states = scale * _norm(u)
        value = hidden_states @ block.self_attn.v_proj.weight.T
        if i >= 4:
            sizes = (
                golf.model.value_embedding.layer_scales[i - 4] * golf.model.value_embedding.scale
            )
            value = value + sizes * narrow
        if first_value is None:
            first_value = value
        if i:
            shares = block.self_attn.value_residual.shares
            value = shares[0] * first_value + shares[1] * value
        y = u + block.residual.attn_scale * _attention(
            block.self_attn, hidden_states, value, i >= 3
        )
        read = hidden_states if i >= 4 else scale * _norm(y)
        work = functional.leaky_relu(read @ block.mlp.up_proj.weight.T, 0.5) ** 2
        stream = y + block.residual.mlp_scale * (work @ block.mlp.down_proj.weight.T)
        outputs.setdefault(i, stream)
    return _norm(stream[:, -ids.shape[1] :])


def _attention(attention, hidden_states, value, exclusive):
    length = hidden_states.shape[1]
    base = 10000 * (12 / 6) ** 2  # 4 numbers turn: the exponent is 4 / (4 − 2)
    tables = rope_cos_sin(positions=length, head_dim=4, base=base)
    query = _norm((hidden_states @ attention.q_proj.weight.T).unflatten(-1, (4, 8)))
    query = query * attention.q_gain[:, None]
    key = _norm((hidden_states @ attention.k_proj.weight.T).unflatten(-1, (2, 8)))
    value = value.unflatten(-1, (2, 8))
    past = torch.ones(length, length, dtype=torch.bool).tril()
    heads = []
    for h in range(4):
        q, k = (apply_rope_first(x, *tables) for x in (query[:, :, h], key[:, :, h // 2]))
        weights = torch.softmax((q @ k.mT / 8**0.5).masked_fill(~past, -torch.inf), dim=-1)
        y, v = weights @ value[:, :, h // 2], value[:, :, h // 2]
        if exclusive:
            y = y - (y * v).sum(-1, True) / (v * v).sum(-1, True) * v
        heads.append(y)
    return torch.cat(heads, dim=-1) @ attention.o_proj.weight.T


def _norm(x):
    return x / x.square().mean(-1, True).sqrt()


FEATURES = [
    ["golf.qk_gain_init=2"],
    ["golf.rope_dims=4", "golf.original_context=6"],
    ["golf.xsa_last_n=2"],
    ["golf.leaky_relu_slope=0.5"],
    ["golf.ln_scale=true"],
    ["golf.x0_mix=true"],
    ["golf.unet_skips=true"],
    ["golf.parallel_residual_last_n=1"],
    ["golf.recur_layers=[0, 1]", "golf.num_loops=2"],
    ["golf.bigram_vocab_size=64"],
    ["golf.smear_gate=true"],
    ["golf.ve_last_n=1"],
    ["golf.value_residual=true"],
    ["golf.memory_tokens=3"],
    ["golf.mtp_num_heads=2"],
    ["model.logit_softcap=5"],
]


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature[0])
def test_no_feature_alone_lets_a_logit_see_what_comes_later(feature):
    config = tiny_config("golf.num_loops=1", *feature)
    model = shaken(build_model(config, VOCAB, eos_id=SEPARATOR)).double()
    before = model(IDS)
    for t in range(11):
        changed = IDS.clone()
        changed[:, t + 1 :] = (changed[:, t + 1 :] + 7) % VOCAB
        torch.testing.assert_close(
            model(changed)[:, : t + 1], before[:, : t + 1], rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("training", [False, True])
def test_what_comes_later_changes_nothing(golf, training):
    golf.train(training)
    golf.model.looping = True
    before = golf(IDS)
    for t in range(MEMORY if training else 0, 11):
        changed = IDS.clone()
        changed[:, t + 1 :] = (changed[:, t + 1 :] + 7) % VOCAB
        after = golf(changed)
        torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], rtol=0, atol=1e-12)
        assert not torch.allclose(after[:, t + 1], before[:, t + 1])


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    ids=st.lists(st.integers(0, 6), min_size=2, max_size=30),
    cut=st.integers(1, 29),
)
def test_windows_embed_as_one_long_pass(golf, ids, cut):
    cut = min(cut, len(ids) - 1)
    stream = torch.tensor([SEPARATOR, *ids])
    seen = torch.cat([torch.tensor([SEPARATOR]), stream[:cut]])[-2:]
    window = golf.model.embed(torch.cat([seen, stream[cut:]])[None], None, len(stream) - cut)
    whole = golf.model.embed(stream[None], None, len(stream))[:, cut:]
    torch.testing.assert_close(window, whole, rtol=0, atol=1e-12)


def test_nothing_looks_back_over_a_separator(golf):
    changed = IDS.clone()
    changed[0, :5] = (changed[0, :5] + 1) % VOCAB
    after, before = (golf.model.embed(ids, None, 12)[0] for ids in (changed, IDS))
    assert torch.equal(after[5:], before[5:])
    assert not torch.equal(after[4], before[4])


def test_memory_hides_the_first_tokens_in_training_alone(golf):
    changed = IDS.clone()
    changed[:, 0] = (changed[:, 0] + 1) % VOCAB
    # Two tokens before the text's first are looked back on; the one before them is not.
    assert not torch.equal(golf(changed)[:, MEMORY:], golf(IDS)[:, MEMORY:])
    golf.train()
    assert torch.equal(golf(changed)[:, MEMORY:], golf(IDS)[:, MEMORY:])


def test_layers_loop_in_evaluation_and_when_told(golf):
    looped = golf(IDS)
    golf.model.looping = True
    assert torch.equal(golf(IDS), looped)
    golf.train()
    looped = golf(IDS)
    golf.model.looping = False
    assert not torch.equal(golf(IDS), looped)


def test_a_fresh_model_is_its_tables_alone():
    model = build_model(golf_config("golf.memory_tokens=0"), VOCAB, eos_id=SEPARATOR)
    stream = functional.rms_norm(model.model.embed_tokens(IDS), (16,))
    smeared = (stream + functional.pad(stream[:, :-1], (0, 0, 1, 0))) / 2
    stream = torch.where((IDS == SEPARATOR).unsqueeze(-1), stream, smeared)
    # Skips add more of the same, and the last norm takes its size away.
    logits = functional.rms_norm(stream, (16,)) @ model.model.embed_tokens.weight.T
    torch.testing.assert_close(model(IDS), 5 * torch.tanh(logits / 5))


def test_equal_seeds_give_equal_weights_and_leave_the_random_state_alone():
    config = golf_config()
    before = torch.get_rng_state()
    first, second, other = (
        build_model(config, VOCAB, eos_id=SEPARATOR, seed=seed) for seed in (5, 5, 6)
    )
    assert torch.equal(torch.get_rng_state(), before)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    assert not torch.equal(first.model.embed_tokens.weight, other.model.embed_tokens.weight)


OFF = {
    "golf.xsa_last_n=0",
    "golf.ln_scale=false",
    "golf.x0_mix=false",
    "golf.unet_skips=false",
    "golf.parallel_residual_last_n=0",
    "golf.recur_layers=[]",
    "golf.bigram_vocab_size=0",
    "golf.smear_gate=false",
    "golf.ve_last_n=0",
    "golf.value_residual=false",
    "golf.memory_tokens=0",
    "golf.mtp_num_heads=0",
}


@pytest.mark.parametrize("off", sorted(OFF))
def test_a_feature_that_is_off_leaves_the_start_of_all_else_as_it_is(off):
    whole = build_model(golf_config(), VOCAB, eos_id=SEPARATOR, seed=7).state_dict()
    without = build_model(golf_config(off), VOCAB, eos_id=SEPARATOR, seed=7).state_dict()
    assert without.keys() <= whole.keys()
    for name, weight in without.items():
        assert torch.equal(weight, whole[name]), name


def test_matrices_start_orthogonal_or_zero():
    model = build_model(golf_config("golf.projection_gain=0.25"), VOCAB, eos_id=SEPARATOR)
    for name, weight in model.named_parameters():
        if (name.startswith("model.layers.") and weight.ndim == 2) or name.endswith(".proj.weight"):
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                assert not weight.any()
                continue
            gain = 0.25 if ".proj." in name else 1.0
            narrow = weight if weight.shape[0] <= weight.shape[1] else weight.T
            expected = gain**2 * torch.eye(len(narrow))
            torch.testing.assert_close(narrow @ narrow.T, expected, rtol=0, atol=1e-5)


def test_everything_off_is_a_small_model():
    model = build_model(tiny_config("golf.num_loops=1"), VOCAB, eos_id=SEPARATOR)
    assert model.lookback == 0
    block = 16 * 8 * (2 * 4 + 2 * 2) + 2 * 16 * 24 + 2 * 16 + 4
    assert count_parameters(model) == exported_parameters(model) == 2 * block + VOCAB * 16
    weights = 2 * (block - 2 * 16 - 4) + VOCAB * 16
    assert model.flops_per_token() == 6 * weights + 12 * 2 * 4 * 8 * 12


def test_loops_and_heads_count_as_work():
    model = build_model(golf_config(), VOCAB, eos_id=SEPARATOR)
    matrices = 16 * 8 * (2 * 4 + 2 * 2) + 2 * 16 * 24
    heads = 2 * 16 * VOCAB
    weights = 10 * matrices + VOCAB * 16 + heads + 2 * 4 * 16
    assert model.flops_per_token() == 6 * weights + 12 * 10 * 4 * 8 * 12
    assert exported_parameters(model) == count_parameters(model) - heads
