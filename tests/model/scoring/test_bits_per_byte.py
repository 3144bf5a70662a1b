import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spike_lm.model.families.build import build_model
from spike_lm.model.families.spikewhale.model import SpikeWhaleLM
from spike_lm.model.layers.attention_mask import document_ids
from spike_lm.model.scoring.bits_per_byte import score_documents, score_replies, validation_score
from spike_lm.model.scoring.sliding_windows import WindowConfig
from spiketok.errors import SpikeError
from tests.model.tiny import GOLF, VOCAB, WHALE, shaken, tiny_config

SEPARATOR = 3
HALVES = WindowConfig(context=12, stride=6)
Documents = st.lists(st.lists(st.integers(0, VOCAB - 1), max_size=40), max_size=4)


@settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    documents=Documents,
    context=st.integers(1, 12),
    stride=st.integers(1, 12),
    batch_windows=st.integers(1, 5),
    reset=st.booleans(),
)
def test_equals_the_definition(model, documents, context, stride, batch_windows, reset):
    stride = min(stride, context)
    model = model.double()
    pairs = [(np.array(ids, np.uint16), 3 * len(ids)) for ids in documents]
    score = score_documents(
        model,
        pairs,
        WindowConfig(context=context, stride=stride, batch_windows=batch_windows, reset=reset),
        eos_id=SEPARATOR,
    )
    streams = _streams(documents, reset)
    nats = [n for stream in streams for n in _nats(model, stream, context, stride)]
    ends = np.cumsum([len(ids) + 1 for ids in documents], dtype=int) - 1
    assert score.nats == pytest.approx(sum(nats), rel=1e-10)
    assert score.nats_separators == pytest.approx(sum(nats[end] for end in ends), rel=1e-10)
    assert score.tokens == sum(len(ids) + 1 for ids in documents)
    assert score.bytes == 3 * sum(map(len, documents))
    assert score.documents == len(documents)
    by_document = [part.sum() for part in np.split(np.array(nats), ends + 1)[:-1]]
    assert score.document_nats == pytest.approx(by_document, rel=1e-10)


def _streams(documents, reset):
    if reset:
        return [[SEPARATOR, *ids, SEPARATOR] for ids in documents]
    return [[SEPARATOR, *(i for ids in documents for i in (*ids, SEPARATOR))]]


def plain(model, stream, start, target):
    return model.backbone(torch.tensor([stream[start:target]]))


def _nats(model, stream, context, stride, hidden_rows=plain):
    """Score one target at a time, in the first window that reaches it."""
    nats = []
    for target in range(1, len(stream)):
        windows_after_first = max(0, -(-(target - context) // stride))
        end = min(context + windows_after_first * stride, len(stream) - 1)
        start = max(0, end - context)
        assert target - start >= min(target, context - stride + 1)
        logits = model.logits(hidden_rows(model, stream, start, target))
        nats.append(-torch.log_softmax(logits[0, -1], 0)[stream[target]].item())
    return nats


@pytest.mark.parametrize("batch_windows", [1, 3, 50])
def test_nats_of_conversations_are_those_of_their_replies(model, batch_windows):
    random = np.random.default_rng(0)
    texts = [random.integers(0, VOCAB, size) for size in (5, 0, 31, 1, 17, 0)]
    chats = [(ids, np.arange(len(ids)) % 2 == 0, len(ids)) for ids in texts]
    windows = WindowConfig(context=8, stride=3, batch_windows=batch_windows)
    found = score_replies(model, chats, windows, eos_id=SEPARATOR)
    windows = WindowConfig(context=8, stride=3)
    alone = [score_replies(model, [one], windows, eos_id=SEPARATOR).nats for one in chats]
    assert found.document_nats == pytest.approx(alone, rel=1e-4)


def test_bits_per_byte_of_a_model_that_knows_nothing(model):
    with torch.no_grad():
        model.model.embed_tokens.weight.zero_()
    documents = [(np.arange(8), 10), (np.arange(20), 30)]
    score = score_documents(model, documents, HALVES, eos_id=SEPARATOR)
    assert score.bits_per_byte == pytest.approx(30 * math.log2(VOCAB) / 40)
    assert score.nats_separators == pytest.approx(2 * math.log(VOCAB))


def test_without_bytes_there_is_no_rate(model):
    score = score_documents(model, [(np.arange(8), 0)], HALVES, eos_id=SEPARATOR)
    assert score.nats > 0
    assert score.bits_per_byte is None


def test_reports_and_takes_any_iterable(model):
    seen = []
    documents = ((np.arange(5), 5) for _ in range(4))
    score_documents(
        model,
        documents,
        WindowConfig(context=12, stride=6, batch_windows=3),
        eos_id=SEPARATOR,
        report=seen.append,
    )
    assert seen == [18, 24]


@pytest.mark.parametrize(("context", "stride"), [(13, 1), (4, 5), (4, 0), (0, 0)])
def test_windows_out_of_range_are_refused(model, context, stride):
    with pytest.raises(SpikeError, match="1 ≤ stride ≤ context"):
        score_documents(model, [], WindowConfig(context=context, stride=stride), eos_id=SEPARATOR)


def test_a_damaged_model_has_no_score(model):
    with torch.no_grad():
        model.model.embed_tokens.weight[SEPARATOR, 0] = torch.nan
    with pytest.raises(SpikeError, match="not finite"):
        score_documents(model, [(np.arange(3), 3)], HALVES, eos_id=SEPARATOR)


def test_ids_that_the_model_does_not_have_are_refused(model):
    documents = [(np.array([VOCAB]), 1)]
    with pytest.raises(SpikeError, match="id outside 0 … 31"):
        score_documents(model, documents, HALVES, eos_id=SEPARATOR)


def test_validation_scores_each_window_for_itself(model):
    model = model.double()
    windows = np.random.default_rng(0).integers(0, VOCAB, (11, 13)).astype(np.uint16)
    byte_lengths = np.random.default_rng(1).integers(0, 9, VOCAB)
    score = validation_score(model, windows, byte_lengths, batch_windows=4)
    nats = n_bytes = 0
    for window in windows.tolist():
        logs = torch.log_softmax(model(torch.tensor([window[:-1]]))[0], -1)
        nats -= sum(logs[t, target].item() for t, target in enumerate(window[1:]))
        n_bytes += sum(int(byte_lengths[target]) for target in window[1:])
    assert score.nats == pytest.approx(nats, rel=1e-10)
    assert (score.tokens, score.bytes) == (132, n_bytes)
    assert score.bits_per_byte == pytest.approx(nats / math.log(2) / n_bytes)


def test_validation_with_a_mask_counts_what_is_inside_alone(model):
    model = model.double()
    random = np.random.default_rng(0)
    windows = random.integers(0, VOCAB, (11, 13)).astype(np.uint16)
    mask = random.random((11, 13)) < 0.3
    byte_lengths = random.integers(0, 9, VOCAB)
    score = validation_score(model, windows, byte_lengths, mask=mask, batch_windows=4)
    nats = n_bytes = tokens = 0
    for window, inside in zip(windows.tolist(), mask.tolist(), strict=True):
        logs = torch.log_softmax(model(torch.tensor([window[:-1]]))[0], -1)
        for t, target in enumerate(window[1:]):
            if inside[t + 1]:
                nats -= logs[t, target].item()
                n_bytes += int(byte_lengths[target])
                tokens += 1
    assert score.nats == pytest.approx(nats, rel=1e-10)
    assert (score.tokens, score.bytes) == (tokens, n_bytes)


@pytest.mark.parametrize(("context", "stride"), [(12, 12), (12, 5), (3, 1)])
def test_replies_are_scored_from_all_that_stands_before_them(model, context, stride):
    model = model.double()
    random = np.random.default_rng(2)
    conversations = []
    for size in (1, 4, 11, 30):
        mask = random.random(size) < 0.5
        conversations.append((random.integers(0, VOCAB, size), mask, int(mask.sum())))
    windows = WindowConfig(context=context, stride=stride, batch_windows=3)
    score = score_replies(model, conversations, windows, eos_id=SEPARATOR)
    nats = 0.0
    for ids, mask, _ in conversations:
        stream = [SEPARATOR, *ids.tolist(), SEPARATOR]
        scored = 0
        while scored < len(stream) - 1:
            stop = min(scored + (stride if scored else context), len(stream) - 1)
            start = max(0, stop - context)
            logs = torch.log_softmax(model(torch.tensor([stream[start:stop]]))[0], -1)
            for place in range(scored, stop):
                if place < len(ids) and mask[place]:
                    nats -= logs[place - start, stream[place + 1]].item()
            scored = stop
    assert score.nats == pytest.approx(nats, rel=1e-10)
    count = sum(n_bytes for _, _, n_bytes in conversations)
    assert (score.tokens, score.bytes) == (count, count)
    assert (score.documents, score.nats_separators) == (4, 0.0)


def test_all_of_a_text_as_a_reply_scores_as_the_text_without_its_end(model):
    ids = np.arange(20) % VOCAB
    windows = WindowConfig(context=12, stride=5)
    text = score_documents(model, [(ids, 7)], windows, eos_id=SEPARATOR)
    reply = score_replies(model, [(ids, np.ones(20, bool), 7)], windows, eos_id=SEPARATOR)
    assert reply.nats == pytest.approx(text.nats - text.nats_separators, rel=1e-6)
    assert (reply.tokens, reply.bytes) == (20, 7)


def family(*overrides):
    """Return a tiny model in double precision in which nothing trained is zero."""
    model = build_model(tiny_config(*overrides), VOCAB, eos_id=SEPARATOR, seed=1).double()
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    shaken(model)
    model.load_state_dict(frozen, strict=False)
    return model


FAMILIES = {
    "golf": family(*GOLF),
    "BigramHash": family("golf.bigram_vocab_size=64"),
    "SmearGate": family("golf.smear_gate=true"),
    "engram": family(*WHALE, "spikewhale.engram_max_ngram=3"),
    "engram, documents apart": family(*WHALE, "spikewhale.documents_apart=true"),
}


@pytest.mark.parametrize("name", FAMILIES)
@settings(deadline=None, max_examples=10)
@given(
    documents=Documents, context=st.integers(1, 12), stride=st.integers(1, 12), reset=st.booleans()
)
def test_windows_get_the_ids_before_them(name, documents, context, stride, reset):
    model, stride = FAMILIES[name], min(stride, context)
    assert model.lookback > 0
    windows = WindowConfig(context=context, stride=stride, reset=reset)
    pairs = [(np.array(ids, np.uint16), 1) for ids in documents]
    score = score_documents(model, pairs, windows, eos_id=SEPARATOR)
    wanted = [
        _nats(model, stream, context, stride, embedded) for stream in _streams(documents, reset)
    ]
    assert score.nats == pytest.approx(sum(map(sum, wanted)), rel=1e-10)


def embedded(model, stream, start, target):
    """Return hidden rows of a window whose embeddings are those of one pass over the stream."""
    ids = torch.tensor([stream])
    about = document_ids(ids, model.model.eos_id) if isinstance(model, SpikeWhaleLM) else None
    whole = model.model.embed(ids, about, len(stream))
    embed, model.model.embed = model.model.embed, lambda *_: whole[:, start:target]
    try:
        return model.backbone(ids[:, start:target])
    finally:
        model.model.embed = embed
