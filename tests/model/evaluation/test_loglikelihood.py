"""Log-likelihoods: against plain full passes, for every family; bit-equal in any order."""

from functools import partial

import numpy as np
import pytest
import torch

from spike_lm.model.evaluation.causal_lm import SpikeLM
from spike_lm.model.evaluation.items import Item, Request
from spike_lm.model.evaluation.loglikelihood import LongContinuationError, score_items
from spike_lm.model.families.build import build_model
from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import GOLF, WHALE, WHALE_RARE, shaken, tiny_config

PIECES = [b"th", b"the", b"the ", b" a", b"an", b"and ", b" and the", b"user", b"e ", b" us"]
CONTEXT = 40
KINDS = {
    "plain": [],
    "capped": ["model.logit_softcap=5", "model.tie_embeddings=false"],
    "golf": [*GOLF, "averaging.use=weights"],
    "whale": WHALE,
    "rare": [*WHALE, *WHALE_RARE],
}
LONG = "we and the user eat an apple in the thatched hut"


def spike_lm(kind="plain", context=CONTEXT):
    config = tiny_config(*KINDS[kind], f"model.context={context}")
    tokenizer = Tokenizer(build_vocabulary(PIECES, 400, "chatml"))
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, seed=1)
    return SpikeLM(name=kind, model=shaken(model), tokenizer=tokenizer)


def item(*pairs):
    requests = tuple(Request(context, continuation) for context, continuation in pairs)
    return Item(requests, tuple(text for _, text in pairs), 0, "items.jsonl:1")


def items():
    """Items with equal and with different contexts, without any, with long and short choices."""
    shared = [(LONG[:38], text) for text in (" a", " user", "the and the user", "e us an", " a")]
    return [
        item(*shared),
        item(("user and", " the"), ("the user and", " the"), ("an", "d the")),
        item(("", "the user"), ("", "the use of it")),
        item(("the ", "and the user")),
        item((LONG * 3, " the"), (LONG * 3, " and the user")),
        item((LONG[:38], " t"), (LONG[:38], " q")),
    ]


def by_definition(lm, request):
    """Sum ln p over the tokens after those that both encodings share, in one full pass."""
    context = request.context.rstrip()
    whole = lm.tokenizer.encode(request.context + request.continuation).tolist()
    alone = lm.tokenizer.encode(context).tolist()
    first = 0
    while first < len(alone) and whole[first] == alone[first]:
        first += 1
    if not first:
        whole, first = [lm.tokenizer.eos_id, *whole], 1
    cut = max(0, len(whole) - lm.context - 1)
    inputs, targets = torch.tensor([whole[cut:-1]]), torch.tensor(whole[first:])
    with torch.inference_mode():
        table = lm.model(inputs)[0, first - 1 - cut :].log_softmax(-1)
    rows = torch.arange(len(targets))
    greedy = bool((table.argmax(-1) == targets).all())
    return float(table[rows, targets].double().sum()), greedy, len(targets), cut > 0


@pytest.mark.parametrize("kind", KINDS)
def test_scores_equal_those_of_full_passes(kind):
    lm = spike_lm(kind)
    for number, found in score_items(lm, items()):
        for request, score in zip(items()[number].requests, found, strict=True):
            nats, greedy, tokens, truncated = by_definition(lm, request)
            assert score.nats == pytest.approx(nats, abs=1e-4)
            assert (score.is_greedy, score.tokens) == (greedy, tokens)
            assert score.truncated == truncated


@pytest.mark.parametrize("border", ["joint", "exact", "lm-eval"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_score_of_an_item_does_not_depend_on_the_others(kind, border):
    lm, all_items = spike_lm(kind), items()
    if border == "lm-eval":  # which rejects the others
        all_items = [item((LONG[:38], " q a"), (LONG[:38], " q")), all_items[2], all_items[4]]
    score = partial(score_items, spike_lm(kind), border=border)
    together = dict(score(all_items))
    assert list(together) == list(range(len(all_items)))
    backwards = dict(score(all_items[::-1]))
    for number, alone in enumerate(all_items):
        assert next(score_items(lm, [alone], border))[1] == together[number]
        assert backwards[len(all_items) - 1 - number] == together[number]


def test_a_greedy_continuation_is_recognised():
    lm = spike_lm()
    ids = lm.tokenizer.encode("the user and").tolist()
    with torch.inference_mode():
        best = int(lm.model(torch.tensor([ids]))[0, -1].argmax())
    text = lm.tokenizer.decode_bytes([best]).decode("latin-1")
    if lm.tokenizer.encode("the user and" + text).tolist() != [*ids, best]:
        pytest.skip("another seed: the best id is not the encoding of its bytes")
    found = next(score_items(lm, [item(("the user and", text), ("the user and", "qq"))]))[1]
    assert [score.is_greedy for score in found] == [True, False]


@pytest.mark.parametrize(
    ("wrong", "border", "message"),
    [
        (item(("the", "")), "joint", "choice 0: the continuation is empty"),
        (item(("the", " a"), ("", "q" * 41)), "joint", "choice 1: the continuation has 41 tokens"),
        (item(("th", "e")), "lm-eval", "choice 0: the split of lm-eval leaves no token for 'e'"),
        (item(("the", " a")), "none", "border 'none' is unknown; use one of joint, "),
    ],
)
def test_bad_requests_are_one_line(wrong, border, message):
    with pytest.raises(SpikeError, match=message) as caught:
        list(score_items(spike_lm(), [wrong], border))
    assert "\n" not in str(caught.value)


def test_a_smaller_context_is_that_of_a_smaller_model():
    requests = [item((LONG, " the"), (LONG[:38], " user"))]
    small, large = spike_lm(context=16), spike_lm()
    assert list(score_items(large, requests, context=16)) == list(score_items(small, requests))
    assert list(score_items(large, requests, context=99)) == list(score_items(large, requests))
    with pytest.raises(LongContinuationError, match="has 17 tokens, and the model's context 16"):
        list(score_items(large, [item(("", "q" * 17))], context=16))


def test_no_items_are_no_scores():
    assert list(score_items(spike_lm(), [])) == []
    empty = Item((), (), 0, "items.jsonl:1")
    assert list(score_items(spike_lm(), [empty])) == [(0, [])]


def test_sums_are_those_of_float64():
    lm = spike_lm()
    request = Request("the", " q" * 15)
    ((_, (score,)),) = score_items(lm, [Item((request,), ("q",), 0, "items.jsonl:1")])
    assert score.nats != float(np.float32(score.nats))
