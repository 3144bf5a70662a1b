import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spike_lm.model.families.build import build_model
from spike_lm.model.layers.attention_mask import document_ids, document_starts
from spike_lm.model.layers.hyper_connections import sinkhorn
from spike_lm.model.layers.partial_rope import apply_rope_last
from spike_lm.model.layers.rope import rope_cos_sin
from tests.model.tiny import VOCAB, WHALE_RARE, shaken, tiny_config, whale_config

SEPARATOR = 3
IDS = torch.randint(4, VOCAB, (2, 12), generator=torch.Generator().manual_seed(3))
IDS[0, 5] = SEPARATOR
RARE = [
    [],
    ["spikewhale.layout=published"],
    ["spikewhale.documents_apart=false"],
    *([feature] for feature in WHALE_RARE[:2]),
    WHALE_RARE[2:],
    ["spikewhale.hc_mult=1", "model.kv_heads=2", "spikewhale.qk_rope_head_dim=0"],
]
close = {"rtol": 0, "atol": 1e-10}
one_model = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def whale(*overrides):
    """Return a tiny model in double precision in which nothing is zero."""
    model = build_model(whale_config(*overrides), VOCAB, eos_id=SEPARATOR, seed=1).double()
    frozen = None if model.model.engram is None else model.model.engram.compressor.clone()
    shaken(model)
    if frozen is not None:
        model.model.engram.compressor.copy_(frozen)
    return model


@pytest.fixture(scope="module")
def model():
    return whale()


def test_equals_its_definition(model):
    hidden = model.backbone(IDS)
    torch.testing.assert_close(hidden, _trunk(model, IDS), rtol=1e-6, atol=1e-6)
    assert torch.equal(model(IDS), hidden @ model.model.embed_tokens.weight.T)


def _trunk(model, ids):
    """The whole model in plain operations, for the configuration in tiny.py."""
    documents = document_ids(ids, SEPARATOR)
    stream = model.model.embed_tokens.weight[ids]
    codes = model.model.engram.id_codes(ids)
    stream = stream + model.model.engram(codes, stream, document_starts(documents))
    streams = [stream, stream]
    hyper = model.model.hyper_connections
    for number, block in enumerate(model.layers):
        for site, work in enumerate((_attention, _feed_forward)):
            read, write, mix = (
                logits[2 * number + site]
                for logits in (
                    hyper.pre_logits,
                    hyper.post_logits,
                    hyper.res_logits,
                )
            )
            share, mix = torch.softmax(read, 0), sinkhorn(mix, 20)
            out = work(block, share[0] * streams[0] + share[1] * streams[1], documents)
            streams = [
                mix[i, 0] * streams[0] + mix[i, 1] * streams[1] + 2 * torch.sigmoid(write[i]) * out
                for i in range(2)
            ]
    share = torch.softmax(hyper.out_logits, 0)
    x = share[0] * streams[0] + share[1] * streams[1]
    part = model.model.hrm_refine
    inner = torch.cat([_norm(x, part.norm), x], -1) @ part.down.weight.T
    x = x + torch.tanh(part.gate[0]) * (functional.silu(inner) @ part.up.weight.T)
    return _norm(x, model.model.norm)


def _norm(x, norm):
    return x / (x.square().mean(-1, True) + 1e-6).sqrt() * norm.weight


def _feed_forward(block, stream, documents):
    x, part = _norm(stream, block.ffn_norm), block.ffn
    gated = functional.silu(x @ part.gate_proj.weight.T) * (x @ part.up_proj.weight.T)
    return gated @ part.down_proj.weight.T


def _attention(block, stream, documents):
    x, part = _norm(stream, block.attn_norm), block.attn
    narrow = _norm(x @ part.q_a_proj.weight.T, part.q_a_norm)
    queries = (narrow @ part.q_b_proj.weight.T).unflatten(-1, (4, 8))
    tables = rope_cos_sin(positions=x.shape[1], head_dim=4, base=10000.0)
    key = apply_rope_last(_norm(x @ part.k_proj.weight.T, part.k_norm), *tables)
    value, heads = x @ part.v_proj.weight.T, []
    apart = documents[:, :, None] != documents[:, None, :]
    for h in range(4):
        query = apply_rope_last(_norm(queries[:, :, h], part.q_norm), *tables)
        scores = query @ key.mT / 8**0.5
        scores = scores.masked_fill(apart | ~torch.ones_like(apart[0]).tril(), -torch.inf)
        y = torch.softmax(scores, -1) @ value
        heads.append(y - (y * value).sum(-1, True) / value.square().sum(-1, True) * value)
    return torch.cat(heads, -1) @ part.o_a_proj.weight.T @ part.o_b_proj.weight.T


@pytest.mark.parametrize("feature", RARE, ids=str)
def test_what_comes_later_changes_nothing(feature):
    model = whale(*feature)
    before = model(IDS)
    for t in range(11):
        changed = IDS.clone()
        changed[:, t + 1 :] = (changed[:, t + 1 :] + 7) % VOCAB
        after = model(changed)
        torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], **close)
        assert not torch.allclose(after[:, t + 1], before[:, t + 1])


def test_a_mask_of_ones_is_no_mask(model):
    torch.testing.assert_close(model(IDS, torch.ones_like(IDS)), model(IDS), **close)


def test_a_document_is_read_as_if_alone(model):
    # Rotary tables are float32, so positions leave a trace.
    alone = model(IDS[:1, 5:])
    torch.testing.assert_close(model(IDS)[:1, 5:], alone, rtol=0, atol=1e-6)
    running = whale("spikewhale.documents_apart=false")
    assert not torch.allclose(running(IDS)[:1, 5:], running(IDS[:1, 5:]))
    documents = document_ids(IDS, SEPARATOR)
    alone = document_ids(IDS[:1, 5:], SEPARATOR)
    torch.testing.assert_close(
        running.model.embed(IDS, documents, 12)[:1, 5:],
        running.model.embed(IDS[:1, 5:], alone, 7),
        **close,
    )


@one_model
@given(ids=st.lists(st.integers(0, 6), min_size=2, max_size=30), cut=st.integers(1, 29))
def test_windows_embed_as_one_long_pass(model, ids, cut):
    cut = min(cut, len(ids) - 1)
    stream = torch.tensor([[SEPARATOR, *ids]])
    seen = torch.cat([torch.full((1, 2), SEPARATOR), stream[:, :cut]], 1)[:, -2:]
    window = torch.cat([seen, stream[:, cut:]], 1)
    time = window.shape[1] - 2
    found = model.model.embed(window, document_ids(window, SEPARATOR), time)
    whole = model.model.embed(stream, document_ids(stream, SEPARATOR), stream.shape[1])
    torch.testing.assert_close(found, whole[:, cut:], **close)
    if time <= 12:
        assert torch.isfinite(model.backbone(stream[:, cut:], seen)).all()


def test_the_published_memory_is_one_vector():
    model = build_model(
        whale_config("spikewhale.layout=published"), VOCAB, eos_id=SEPARATOR, seed=1
    )
    stream, begins = model.model.embed_tokens(IDS), document_starts(torch.zeros_like(IDS))
    rows, _ = model.model.engram.lookup(model.model.engram.embedding_codes(stream), begins)
    assert rows.unique().tolist() == [0, 16]
    repaired = build_model(whale_config(), VOCAB, eos_id=SEPARATOR, seed=1)
    rows, _ = repaired.model.engram.lookup(repaired.model.engram.id_codes(IDS), begins)
    assert len(rows.unique()) == 32


def test_a_fresh_model_is_a_plain_one_without_refinement_and_its_heads_are_identities():
    model = build_model(whale_config(), VOCAB, eos_id=SEPARATOR).double()
    hidden = model.backbone(IDS)
    for state in model.mtp_heads(hidden):
        assert torch.equal(state, hidden)
    assert torch.equal(model.jepa(hidden, 1), hidden)
    model.model.hrm_refine = None
    assert torch.equal(model.backbone(IDS), hidden)
    model.model.hyper_connections = None
    torch.testing.assert_close(model.backbone(IDS), hidden, rtol=1e-4, atol=1e-4)


def test_the_seed_alone_decides_the_weights_and_the_random_state_is_left_alone():
    built = []
    for seed in (5, 5, 6):
        torch.rand(1)
        before = torch.get_rng_state()
        built.append(build_model(whale_config(), VOCAB, eos_id=SEPARATOR, seed=seed))
        assert torch.equal(torch.get_rng_state(), before)
    first, second, other = built
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name])
    for name in ("embed_tokens.weight", "engram.compressor", "engram.projections"):
        assert not torch.equal(
            first.state_dict()[f"model.{name}"], other.state_dict()[f"model.{name}"]
        )


def test_everything_off_is_a_small_model():
    model = build_model(tiny_config("spikewhale.q_lora_rank=8"), VOCAB, eos_id=SEPARATOR)
    assert model.lookback == 0
    names = {name.split(".")[1] for name, _ in model.named_parameters()}
    assert names == {"embed_tokens", "layers", "norm"}
    assert not list(model.buffers())[2:]


def test_frozen_numbers_do_not_train():
    model = build_model(whale_config(), VOCAB, eos_id=SEPARATOR)
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ["model.engram.compressor"]


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("feature", RARE, ids=str)
def test_autocast_keeps_the_streams_precise(feature):
    config = whale_config(*feature)
    model = build_model(config, VOCAB, eos_id=SEPARATOR, seed=1)
    seen = []
    for block in model.layers:
        block.register_forward_hook(lambda *call: seen.append(call[-1].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(IDS)
        cache = model.new_kv_cache(batch=2)
        for t in range(12):
            last = model.logits(model.backbone(IDS[:, t : t + 1], kv_cache=cache))[:, 0]
            torch.testing.assert_close(last, logits[:, t], rtol=0.05, atol=0.05)
    assert set(seen) == {torch.float32}
    torch.testing.assert_close(logits.float(), model(IDS), rtol=0.05, atol=0.05)


def fresh(*overrides):
    return build_model(whale_config(*overrides), VOCAB, eos_id=SEPARATOR, seed=1)


def test_features_leave_the_first_numbers_of_other_weights_alone():
    whole = dict(fresh().named_parameters())
    for setting in (
        "engram_table_size=0",
        "hc_mult=1",
        "num_nextn_predict_layers=0",
        "hrm_refine_steps=0",
    ):
        less = dict(fresh(f"spikewhale.{setting}").named_parameters())
        assert less.keys() < whole.keys()
        assert all(torch.equal(weight, whole[name]) for name, weight in less.items())
