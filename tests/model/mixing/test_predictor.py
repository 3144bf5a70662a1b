"""The mixture of all experts: a distribution, causal, and the same through both doors."""

import math

import numpy as np
import pytest

from model.evaluation.mixing import ContextModel, MixSettings, Predictor

VOCAB = 40


def text(size, seed=1):
    """Return ids in which a long passage comes back, with faults."""
    generator = np.random.default_rng(seed)
    passage = generator.zipf(1.5, 90).clip(max=VOCAB - 1)
    ids = np.tile(passage, size // 90 + 1)[:size]
    faults = generator.random(size) < 0.03
    return np.where(faults, generator.integers(0, VOCAB, size), ids).astype(np.uint32)


def network_rows(size, seed=2):
    rows = np.random.default_rng(seed).dirichlet(np.full(VOCAB, 0.3), size)
    rows = (rows + 1e-6) / (rows + 1e-6).sum(axis=1, keepdims=True)
    return rows, -(rows * np.log(rows)).sum(axis=1)


def predictor(network, learned=0):
    counts = ContextModel(VOCAB)
    counts.learn(text(learned, 7))
    return Predictor(counts, MixSettings(network=network, lengths=(0, 1, 2, 8)))


def scores(ids, network, cuts=()):
    """Return the mixed scores of ids through the fast door, in as many calls as cuts say."""
    rows, entropies = network_rows(len(ids)) if network else (None, None)
    mixing, found = predictor(network, 500), []
    for a, b in zip([0, *cuts], [*cuts, len(ids)], strict=True):
        part = (rows[a:b], entropies[a:b]) if network else ()
        found.append(mixing.score(ids[a:b], *part).mixed)
    return np.concatenate(found)


@pytest.mark.parametrize("network", [False, True])
def test_both_doors_give_the_same_bits_and_distributions(network):
    ids = text(1_200)
    expected = scores(ids, network)
    rows, entropies = network_rows(len(ids))
    mixing = predictor(network, 500)
    for i, token in enumerate(ids):
        every = mixing.distribution(*((rows[i], entropies[i]) if network else ()))
        assert abs(every.sum() - 1) < 1e-9
        assert every.min() > 0
        part = (rows[i : i + 1], entropies[i : i + 1]) if network else ()
        found = mixing.score(ids[i : i + 1], *part).mixed
        assert found[0] == every[token] == expected[i]
    # Long repeats were there to be found.
    assert -np.log2(expected[-400:]).mean() < 2.5


@pytest.mark.parametrize("network", [False, True])
def test_the_future_changes_nothing_and_calls_do_not_matter(network):
    ids = text(900)
    whole = scores(ids, network)
    assert np.array_equal(scores(ids, network, cuts=[1, 333, 650]), whole)
    changed = np.concatenate([ids[:600], (ids[600:] + 1) % VOCAB])
    found = scores(changed, network)
    assert np.array_equal(found[:600], whole[:600])
    assert not np.array_equal(found[601:], whole[601:])


def test_a_distribution_is_had_without_leaving_a_trace():
    ids, mixing, other = text(300), predictor(False), predictor(False)
    for token in ids:
        mixing.distribution()
        mixing.score(token[None])
        other.score(token[None])
    assert np.array_equal(mixing.distribution(), other.distribution())


def test_random_tokens_cannot_be_compressed():
    ids = np.random.default_rng(4).integers(0, 1024, 100_000)
    mixing = Predictor(ContextModel(1024), MixSettings(lengths=(0, 1, 2, 8)))
    assert -np.log2(mixing.score(ids).mixed).mean() >= 10 - 0.001


def test_experts_help():
    ids = text(4_000)
    found = predictor(False).score(ids)
    bits = {name: -np.log2(p).mean() for name, p in found.experts.items()}
    mixed = -np.log2(found.mixed).mean()
    assert mixed < min(bits["contexts to 1"], bits["floor"])
    assert mixed < min(bits.values()) + 0.1
    assert bits["floor"] == pytest.approx(math.log2(VOCAB))


def test_the_seed_of_a_round_trip():
    """A decoder that knows places in the sums of the distributions alone comes back."""
    ids, sender, receiver = text(400), predictor(False), predictor(False)
    for token in ids:
        sums = np.cumsum(sender.distribution())
        middle = sums[token] - sender.score(token[None]).mixed[0] / 2
        decoded = np.searchsorted(np.cumsum(receiver.distribution()), middle)
        assert decoded == token
        receiver.score(np.array([decoded]))


def test_a_network_is_given_where_it_is_wanted():
    rows, entropies = network_rows(1)
    with pytest.raises(ValueError, match="not wanted"):
        predictor(False).score(np.array([1]), rows, entropies)
    with pytest.raises(ValueError, match="wanted"):
        predictor(True).score(np.array([1]))
    with pytest.raises(ValueError, match="vocabulary"):
        predictor(False).score(np.array([VOCAB]))
