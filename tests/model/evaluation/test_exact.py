"""Exact border: against sums over the encodings of all longer texts."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from spike_lm.model.evaluation.causal_lm import SpikeLM
from spike_lm.model.evaluation.exact import byte_paths, log_probability
from spike_lm.model.evaluation.items import Item, Request
from spike_lm.model.evaluation.loglikelihood import score_items
from spike_lm.model.evaluation.shared_prefix import score_sequences
from spike_lm.model.families.build import build_model
from spiketok import Tokenizer, build_vocabulary
from spiketok.errors import SpikeError
from tests.model.tiny import shaken, tiny_config

PIECES = [b"ab", b"ba", b"aba", b"bab", b"abba", b"aa", b" a", b" ab"]
LONGEST = max(map(len, PIECES))


@pytest.fixture(scope="module")
def lm():
    config = tiny_config("model.context=24")
    tokenizer = Tokenizer(build_vocabulary(PIECES, 400, "minimal"))
    model = build_model(config, tokenizer.vocab_size, eos_id=tokenizer.eos_id, seed=1)
    return SpikeLM(name="tiny", model=shaken(model), tokenizer=tokenizer)


def probability(lm, ids, before=()):
    """Return p(ids | prefix token, or the ids before), by one full pass."""
    start = list(before) or [lm.prefix_id]
    with torch.inference_mode():
        table = lm.model(torch.tensor([start + list(ids)]))[0].double().softmax(-1)
    places = range(len(start) - 1, len(start) + len(ids) - 1)
    return math.prod(float(table[place, token]) for place, token in zip(places, ids, strict=True))


def covers(lm, text):
    """Return the covers of a text, by encoding every longer one; "x" is in no piece."""
    found = set()
    for length in range(LONGEST + 1):
        for rest in product(b"ab x", repeat=length):
            ids = lm.tokenizer.encode(text + bytes(rest)).tolist()
            ends = lm.tokenizer.byte_offsets(ids)[1:]
            found.add(tuple(ids[: int(np.searchsorted(ends, len(text))) + 1]))
    return found


def text_probability(lm, text):
    """Return P(text) as `exact` computes it, after the prefix token."""
    (path,) = byte_paths(lm, [Request("", text)])
    (scores,) = score_sequences(lm, [path.whole])
    return math.exp(log_probability(path.whole, scores))


@pytest.mark.parametrize("text", ["a", "ab", " a", "xab", "abab", "aab ab", "abbab", "x"])
def test_the_probability_of_a_text_is_the_sum_over_its_covers(lm, text):
    expected = sum(probability(lm, cover) for cover in covers(lm, text.encode()))
    assert text_probability(lm, text) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("text", ["a", "ab", "xaba"])
def test_continuations_by_one_byte_add_up(lm, text):
    """P(s) is that of all continuations, of the end, and of ids that no encoding has there."""
    ids = lm.tokenizer.encode(text).tolist()
    vocabulary = lm.tokenizer.vocabulary
    unmatched = {*vocabulary.special_ids.values(), *vocabulary.reserved_ids}
    # Bytes are Latin-1 characters: those from 128 on would be two bytes each.
    ends = sum(probability(lm, [*ids, token]) for token in unmatched)
    never, beyond = 0.0, 0.0
    for token, entry in enumerate(vocabulary.entries):
        if token not in unmatched:
            here = lm.tokenizer.encode(text.encode() + entry).tolist()
            never += 0 if here == [*ids, token] else probability(lm, [*ids, token])
            beyond += 0 if entry[0] < 128 else probability(lm, [*ids, token])
    longer = sum(text_probability(lm, text + chr(byte)) for byte in range(128))
    assert text_probability(lm, text) == pytest.approx(longer + ends + never + beyond, rel=1e-5)
    assert never > 0 or text == "xaba"


@pytest.mark.parametrize(
    ("context", "continuation"),
    [("xxxxxx ab", "ba"), ("xxxxxx ab", " ab"), ("xxxxxxabb", "a"), ("ab", "ab"), ("", "abba")],
)
def test_log_likelihood_is_that_of_the_continuations_bytes(lm, context, continuation):
    request = Request(context, continuation)
    item = Item((request,), (continuation,), 0, "items.jsonl:1")
    ((_, (score,)),) = score_items(lm, [item], "exact")
    # Ids that all covers begin with; before the first of a short context is the prefix token.
    start = lm.tokenizer.encode("x").tolist() if context.startswith("xxxxxx") else []

    def total(text):
        return sum(
            probability(lm, cover[len(start) :], start) for cover in covers(lm, text.encode())
        )

    below = total(context) if context else 1.0
    assert score.nats == pytest.approx(math.log(total(context + continuation) / below), abs=1e-4)
    ((_, (joint,)),) = score_items(lm, [item], "joint")
    assert (joint.crosses, joint.tokens) == (score.crosses, score.tokens)


def test_the_likelihood_of_a_text_is_the_product_over_any_borders(lm):
    """p(uv) = p(u) p(v | u), also where the border is inside of a token; not so for `joint`."""
    text = "xxxxxx abba ab"
    wholes = []
    for border in range(7, len(text)):
        requests = (Request("xxxxxx", text[6:border]), Request(text[:border], text[border:]))
        item = Item(requests, ("", ""), 0, "items.jsonl:1")
        ((_, found),) = score_items(lm, [item], "exact")
        wholes.append(sum(score.nats for score in found))
    assert max(wholes) - min(wholes) < 1e-4


def test_long_contexts_are_cut_and_counted(lm):
    item = Item((Request("x " * 30 + " ab", "ba"),), ("ba",), 0, "items.jsonl:1")
    ((_, (score,)),) = score_items(lm, [item], "exact")
    assert score.truncated
    assert -50 < score.nats < 0


def test_bpe_and_bese_name_another_border(lm):
    other = type("Other", (), {"name": "folder", "tokenizer": None})()
    with pytest.raises(
        SpikeError, match="folder: border 'exact' needs a longest-match tokenizer; use "
    ):
        byte_paths(other, [])
