"""Adjusted logits: distributions, from the past alone, whatever the size of calls."""

import math

import numpy as np
import pytest
import torch

from model.evaluation.mixing import AdjustmentSettings, NetworkAdjustment

SETTINGS = AdjustmentSettings(interval=50, first=100)
EVERY = np.tile(np.arange(20), (400, 1))


def example(size=400, vocab=20):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(size, vocab, generator=generator)
    ids = torch.randint(0, 5, (size,), generator=generator)  # much oftener than expected
    return logits, ids.numpy()


def test_numbers_do_not_depend_on_calls_nor_on_the_future():
    logits, ids = example()
    whole = NetworkAdjustment(20, SETTINGS).read(logits, EVERY, ids)
    assert list(whole.rungs) == ["network", "temperature", "calibration"]
    for rung in whole.rungs.values():
        assert np.allclose(rung.sum(axis=1), 1, rtol=0, atol=1e-12)
    single = NetworkAdjustment(20, SETTINGS)
    for i in range(400):
        ahead = single.peek(logits[i : i + 1], EVERY[:1])
        row = single.read(logits[i : i + 1], EVERY[:1], ids[i : i + 1])
        for name, rung in row.rungs.items():
            assert np.array_equal(ahead.rungs[name], rung)
            assert np.allclose(rung[0], whole.rungs[name][i], rtol=1e-6, atol=0)
    other = np.concatenate([ids[:275], np.full(125, 19)])
    changed = NetworkAdjustment(20, SETTINGS).read(logits, EVERY, other)
    # What was learned from 275 on counts from the next interval.
    assert np.array_equal(changed.last[:300], whole.last[:300])
    assert not np.array_equal(changed.last[300:], whole.last[300:])


def test_calibration_learns_how_often_ids_come():
    logits, ids = example(2_000)
    found = NetworkAdjustment(20, SETTINGS).read(logits, ids[:, None], ids)
    means = {name: np.log(rung).mean() for name, rung in found.rungs.items()}
    assert means["calibration"] > means["temperature"] + 0.5


def test_the_network_alone_is_its_softmax():
    logits, ids = example()
    settings = AdjustmentSettings(heat=False, calibrate=False)
    found = NetworkAdjustment(20, settings).read(logits, EVERY, ids)
    assert list(found.rungs) == ["network"]
    plain = torch.softmax(logits.double(), dim=1)
    assert np.allclose(found.last, plain.numpy(), rtol=1e-5, atol=0)
    entropies = -(plain * plain.log()).sum(dim=1)
    assert np.allclose(found.entropies, entropies.numpy(), rtol=1e-5)


def test_temperature_follows_entropy_within_bounds():
    settings = AdjustmentSettings(calibrate=False)
    flat, sure = torch.zeros(1, 20), torch.zeros(1, 20)
    sure[0, 0] = 9.0
    found = NetworkAdjustment(20, settings).peek(torch.cat([flat, sure]), EVERY[:2])
    assert np.allclose(found.last[0], 0.05)
    assert found.entropies[0] == pytest.approx(math.log(20))
    expected = torch.softmax(sure[0].double() / 0.9, dim=0)
    assert np.allclose(found.last[1], expected.numpy(), rtol=1e-3)


def test_nothing_is_impossible():
    sure = torch.zeros(1, 20)
    sure[0, 0] = 1e4
    found = NetworkAdjustment(20).peek(sure, EVERY[:1])
    for rung in found.rungs.values():
        assert rung.min() > 0
        assert rung.sum() == pytest.approx(1, abs=1e-12)
