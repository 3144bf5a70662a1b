import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.evaluation import score_documents, score_replies, validation_score
from spiketok.errors import SpikeError
from tests.model.tiny import VOCAB

SEPARATOR = 3
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
)
def test_equals_the_definition(model, documents, context, stride, batch_windows):
    stride = min(stride, context)
    model = model.double()
    pairs = [(np.array(ids, np.uint16), 3 * len(ids)) for ids in documents]
    score = score_documents(
        model,
        pairs,
        separator=SEPARATOR,
        context=context,
        stride=stride,
        batch_windows=batch_windows,
    )
    nats = [_nats(model, ids, context, stride) for ids in documents]
    assert score.nats == pytest.approx(sum(map(sum, nats)), rel=1e-10)
    assert score.nats_separators == pytest.approx(sum(n[-1] for n in nats), rel=1e-10)
    assert score.tokens == sum(len(ids) + 1 for ids in documents)
    assert score.bytes == 3 * sum(map(len, documents))
    assert score.documents == len(documents)


def _nats(model, ids, context, stride):
    """Score one target at a time, in the first window that reaches it."""
    stream = [SEPARATOR, *ids, SEPARATOR]
    nats = []
    for target in range(1, len(stream)):
        windows_after_first = max(0, -(-(target - context) // stride))
        end = min(context + windows_after_first * stride, len(stream) - 1)
        seen = stream[max(0, end - context) : target]
        assert len(seen) >= min(target, context - stride + 1)
        nats.append(
            -torch.log_softmax(model(torch.tensor([seen]))[0, -1], 0)[stream[target]].item()
        )
    return nats


def test_bits_per_byte_of_a_model_that_knows_nothing(model):
    with torch.no_grad():
        model.embedding.weight.zero_()
    documents = [(np.arange(8), 10), (np.arange(20), 30)]
    score = score_documents(model, documents, separator=SEPARATOR, context=12, stride=6)
    assert score.bits_per_byte == pytest.approx(30 * math.log2(VOCAB) / 40)
    assert score.nats_separators == pytest.approx(2 * math.log(VOCAB))


def test_reports_and_takes_any_iterable(model):
    seen = []
    documents = ((np.arange(5), 5) for _ in range(4))
    score_documents(
        model,
        documents,
        separator=SEPARATOR,
        context=12,
        stride=6,
        batch_windows=3,
        report=seen.append,
    )
    assert seen == [18, 24]


@pytest.mark.parametrize(("context", "stride"), [(13, 1), (4, 5), (4, 0), (0, 0)])
def test_windows_out_of_range_are_refused(model, context, stride):
    with pytest.raises(SpikeError, match="1 ≤ stride ≤ context"):
        score_documents(model, [], separator=SEPARATOR, context=context, stride=stride)


def test_ids_that_the_model_does_not_have_are_refused(model):
    documents = [(np.array([VOCAB]), 1)]
    with pytest.raises(SpikeError, match="id outside 0 … 31"):
        score_documents(model, documents, separator=SEPARATOR, context=4, stride=2)


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
    options = {"separator": SEPARATOR, "context": context, "stride": stride}
    score = score_replies(model, conversations, batch_windows=3, **options)
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
    options = {"separator": SEPARATOR, "context": 12, "stride": 5}
    text = score_documents(model, [(ids, 7)], **options)
    reply = score_replies(model, [(ids, np.ones(20, bool), 7)], **options)
    assert reply.nats == pytest.approx(text.nats - text.nats_separators, rel=1e-6)
    assert (reply.tokens, reply.bytes) == (20, 7)


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(documents=Documents, context=st.integers(1, 12), stride=st.integers(1, 12))
def test_windows_of_a_golf_model_get_the_ids_before_them(golf, documents, context, stride):
    stride = min(stride, context)
    pairs = [(np.array(ids, np.uint16), 1) for ids in documents]
    score = score_documents(golf, pairs, separator=SEPARATOR, context=context, stride=stride)
    nats = sum(_golf_nats(golf, ids, context, stride) for ids in documents)
    assert score.nats == pytest.approx(nats, rel=1e-10)


def _golf_nats(golf, ids, context, stride):
    """Score with embeddings of the whole document, of which layers see the window alone."""
    stream = [SEPARATOR, *ids, SEPARATOR]
    whole = golf.embed(torch.tensor([stream]), None, len(stream))
    nats = 0.0
    for target in range(1, len(stream)):
        end = context + max(0, -(-(target - context) // stride)) * stride
        start = max(0, min(end, len(stream) - 1) - context)
        embed, golf.embed = golf.embed, lambda *_: whole[:, start:target]  # noqa: B023
        hidden = golf.trunk(torch.tensor([stream[start:target]]))
        golf.embed = embed
        nats -= torch.log_softmax(golf.logits(hidden)[0, -1], 0)[stream[target]].item()
    return nats
