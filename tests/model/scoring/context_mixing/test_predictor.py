"""The stages of a predictor: each a distribution, causal, and the same through both doors."""

import itertools
import math

import numpy as np
import pytest
import torch

from spike_lm.model.config.mixing import PARTS, PredictorSettings, settings_of
from spike_lm.model.scoring.context_mixing.ngram_model import NgramModel
from spike_lm.model.scoring.context_mixing.predictor import Predictor

VOCAB = 40


def text(size, seed=1):
    """Return ids in which a long passage comes back, with faults."""
    generator = np.random.default_rng(seed)
    passage = generator.zipf(1.5, 90).clip(max=VOCAB - 1)
    ids = np.tile(passage, size // 90 + 1)[:size]
    faults = generator.random(size) < 0.03
    return np.where(faults, generator.integers(0, VOCAB, size), ids).astype(np.uint32)


def logits_of(size, seed=2):
    return torch.randn(size, VOCAB, generator=torch.Generator().manual_seed(seed))


def predictor(network, parts=("all",), learned=500):
    settings = settings_of(parts, network=network)
    counts = None
    if settings.has("ngram"):
        counts = NgramModel(VOCAB)
        counts.learn(text(learned, 7))
    made = Predictor(VOCAB, settings, counts)
    made.read_separator(3)
    return made


def scores(ids, network, cuts=()):
    """Return the scores of ids through the fast door, in as many calls as cuts say."""
    logits, mixing, found = logits_of(len(ids)), predictor(network), []
    for a, b in itertools.pairwise([0, *cuts, len(ids)]):
        found.append(mixing.score(ids[a:b], logits[a:b] if network else None))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


CHOICES = [
    (True, ("all",)),
    (False, ("all",)),
    (True, ()),
    (True, ("mixture",)),
    (True, ("temperature", "match")),
    (True, ("ngram",)),
    (False, ("match",)),
    (False, ("ngram", "mixture")),
]


@pytest.mark.parametrize(("network", "parts"), CHOICES)
def test_both_doors_give_the_same_bits_and_distributions(network, parts):
    ids = text(500)
    logits = logits_of(len(ids))
    made, fast = predictor(network, parts), predictor(network, parts)
    whole = fast.score(ids, logits if network else None)
    assert list(whole) == list(made.settings.stages)
    for i, token in enumerate(ids):
        every = made.distributions(logits[i] if network else None)
        found = made.score(ids[i : i + 1], logits[i : i + 1] if network else None)
        for name, p in every.items():
            assert abs(p.sum() - 1) < 1e-9
            assert p.min() > 0
            assert found[name][0] == p[token]
            assert found[name][0] == pytest.approx(whole[name][i], rel=1e-6)


def test_long_repeats_and_counts_are_found():
    ids = text(1_200)
    found = scores(ids, network=False)
    bits = {name: -np.log2(p[-400:]).mean() for name, p in found.items()}
    assert bits["mixture"] < 2.5
    assert bits["mixture"] < min(bits["ngram"], bits["match"], math.log2(VOCAB))
    beside = scores(ids, network=True)
    assert -np.log2(beside["mixture"][-400:]).mean() < -np.log2(beside["network"][-400:]).mean()


@pytest.mark.parametrize("network", [False, True])
def test_the_future_changes_nothing_and_calls_do_not_matter(network):
    ids = text(900)
    whole = scores(ids, network)
    in_parts = scores(ids, network, cuts=[1, 333, 650])
    changed = np.concatenate([ids[:600], (ids[600:] + 1) % VOCAB])
    other = scores(changed, network)
    for name, p in whole.items():
        assert np.allclose(in_parts[name], p, rtol=1e-9, atol=0)
        assert np.array_equal(other[name][:600], p[:600])
        assert not np.array_equal(other[name][601:], p[601:])


def test_a_distribution_is_had_without_leaving_a_trace():
    ids, mixing, other = text(300), predictor(False), predictor(False)
    for token in ids:
        mixing.distributions()
        mixing.score(token[None])
        other.score(token[None])
    for name, p in mixing.distributions().items():
        assert np.array_equal(p, other.distributions()[name])


def test_parts_come_in_one_order_and_only_where_they_can():
    assert settings_of(PARTS[::-1]) == settings_of(["all"])
    assert settings_of([]).stages == ("network",)
    for wrong in (["ngrams"], ["network"]):
        with pytest.raises(ValueError, match="is no part; name some of"):
            settings_of(wrong)
    for parts in (["temperature"], []):
        with pytest.raises(ValueError, match="without a network"):
            settings_of(parts, network=False)
    for wrong in ({"parts": ("match", "ngram")}, {"lengths": (3, 2)}, {"repeats": ()}):
        with pytest.raises(ValueError, match=r"order|rising"):
            PredictorSettings(**wrong)


def test_logits_are_passed_exactly_with_a_network():
    with pytest.raises(ValueError, match="pass no logits"):
        predictor(False).score(np.array([1]), logits_of(1))
    with pytest.raises(ValueError, match="pass them"):
        predictor(True).score(np.array([1]))
    with pytest.raises(ValueError, match="vocabulary"):
        predictor(False).score(np.array([VOCAB]))
    with pytest.raises(ValueError, match="other contexts"):
        Predictor(VOCAB, settings_of(["ngram"]), NgramModel(VOCAB, max_context=3))
