"""The exported folders in `transformers` itself, beside our own models."""

import pytest
import torch

from model.evaluation.generate import generate

pytestmark = pytest.mark.slow

EVERY = ["plain", "untied", "capped", "whale", "rare", "golf"]
every_kind = pytest.mark.parametrize("kind", EVERY)
TEXTS = [b"the and a user", b"an", b"the \xc3\xa4 and the"]


def ids_of(run, text):
    return [run.tokenizer.separator, *run.tokenizer.encode(text).tolist()]


def padded(rows, pad=0):
    """Return ids and mask [B, T] of rows, filled up from the left."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def ours_greedy(run, row, tokens):
    banned = {*run.tokenizer.special_ids.values(), *run.tokenizer.vocabulary.reserved_ids}
    separator = run.tokenizer.separator
    settings = {"stop_ids": [separator], "banned_ids": sorted(banned - {separator})}
    return [*generate(run.model, row, max_tokens=tokens, temperature=0, **settings)]


def until_end(ids, separator):
    """Return ids up to the separator that ends them; filling follows it."""
    ids = ids.tolist()
    return ids[: ids.index(separator) + 1] if separator in ids else ids


@every_kind
def test_logits_are_ours(both, kind):
    run, theirs = both(kind)
    ids = torch.randint(4, 400, (3, 24), generator=torch.Generator().manual_seed(1))
    ids[0, 5] = ids[1, 0] = run.tokenizer.separator
    with torch.no_grad():
        assert (theirs(ids).logits - run.model(ids)).abs().max() < 1e-5


@every_kind
@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_texts_are_ours_alone_and_in_a_padded_batch(both, kind, use_cache):
    run, theirs = both(kind)
    rows = [ids_of(run, text) for text in TEXTS]
    wanted = [ours_greedy(run, row, 10) for row in rows]
    options = {"max_new_tokens": 10, "do_sample": False, "use_cache": use_cache}
    for row, expected in zip(rows, wanted, strict=True):
        found = theirs.generate(torch.tensor([row]), **options)[0, len(row) :]
        assert until_end(found, run.tokenizer.separator) == expected
    ids, mask = padded(rows)
    found = theirs.generate(ids, attention_mask=mask, **options)[:, ids.shape[1] :]
    assert [until_end(row, run.tokenizer.separator) for row in found] == wanted
