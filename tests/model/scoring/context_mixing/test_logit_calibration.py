"""Adjusted logits: distributions, from the past alone, whatever the size of calls."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spike_lm.model._counting import calibrated_probabilities
from spike_lm.model.scoring.context_mixing.logit_calibration import (
    LogitCalibration,
    LogitCalibrationConfig,
)
from spike_lm.model.scoring.context_mixing.reference import plain_calibrated
from spiketok.errors import SpikeError

SETTINGS = LogitCalibrationConfig(interval=50, bias_after=100)
NUMBERS = {"sharpening": 0.15, "min_temperature": 0.9, "max_temperature": 1.05}
EVERY = np.tile(np.arange(20), (400, 1))


def example(size=400, vocab=20):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(size, vocab, generator=generator)
    ids = torch.randint(0, 5, (size,), generator=generator)  # much oftener than expected
    return logits, ids.numpy()


def test_numbers_do_not_depend_on_calls_nor_on_the_future():
    logits, ids = example()
    whole = LogitCalibration(20, SETTINGS).read(logits, EVERY, ids)
    assert list(whole.stages) == ["network", "temperature", "calibration"]
    for stage in whole.stages.values():
        assert np.allclose(stage.sum(axis=1), 1, rtol=0, atol=1e-12)
    single = LogitCalibration(20, SETTINGS)
    for i in range(400):
        ahead = single.peek(logits[i : i + 1], EVERY[:1])
        row = single.read(logits[i : i + 1], EVERY[:1], ids[i : i + 1])
        for name, stage in row.stages.items():
            assert np.array_equal(ahead.stages[name], stage)
            assert np.array_equal(stage[0], whole.stages[name][i])
    other = np.concatenate([ids[:275], np.full(125, 19)])
    changed = LogitCalibration(20, SETTINGS).read(logits, EVERY, other)
    # What was learned from 275 on counts from the next interval.
    assert np.array_equal(changed.last[:300], whole.last[:300])
    assert not np.array_equal(changed.last[300:], whole.last[300:])


def test_calibration_learns_how_often_ids_come():
    logits, ids = example(2_000)
    found = LogitCalibration(20, SETTINGS).read(logits, ids[:, None], ids)
    means = {name: np.log(stage).mean() for name, stage in found.stages.items()}
    assert means["calibration"] > means["temperature"] + 0.5


def test_the_network_alone_is_its_softmax():
    logits, ids = example()
    settings = LogitCalibrationConfig(temperature=False, bias=False)
    found = LogitCalibration(20, settings).read(logits, EVERY, ids)
    assert list(found.stages) == ["network"]
    plain = torch.softmax(logits.double(), dim=1)
    assert np.allclose(found.last, plain.numpy(), rtol=1e-5, atol=0)
    entropies = -(plain * plain.log()).sum(dim=1)
    assert np.allclose(found.entropies, entropies.numpy(), rtol=1e-5)


def test_temperature_follows_entropy_within_bounds():
    settings = LogitCalibrationConfig(bias=False)
    flat, sure = torch.zeros(1, 20), torch.zeros(1, 20)
    sure[0, 0] = 9.0
    found = LogitCalibration(20, settings).peek(torch.cat([flat, sure]), EVERY[:2])
    assert np.allclose(found.last[0], 0.05)
    assert found.entropies[0] == pytest.approx(math.log(20))
    expected = torch.softmax(sure[0].double() / 0.9, dim=0)
    assert np.allclose(found.last[1], expected.numpy(), rtol=1e-3)


def test_nothing_is_impossible():
    sure = torch.zeros(1, 20)
    sure[0, 0] = 1e4
    found = LogitCalibration(20).peek(sure, EVERY[:1])
    for stage in found.stages.values():
        assert stage.min() > 0
        assert stage.sum() == pytest.approx(1, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3),
    st.sampled_from([1, 2, 15, 16, 17, 255, 256, 300, 1000]),
    st.floats(0.01, 30),
    st.integers(0, 1 << 30),
    st.booleans(),
    st.booleans(),
)
def test_native_code_equals_the_definition(rows, vocab, scale, seed, use_temperature, biased):
    generator = np.random.default_rng(seed)
    logits = (scale * generator.standard_normal((rows, vocab))).astype(np.float32)
    factors = generator.uniform(0.2, 5, vocab if biased else 0).astype(np.float32)
    targets = np.tile(np.arange(vocab, dtype=np.uint32), (rows, 1))
    options = NUMBERS | {"use_temperature": use_temperature, "use_bias": True}
    found = []
    for use_avx2 in (True, False):
        expected = np.ones(vocab)
        arrays = (logits, targets, factors, expected)
        results = calibrated_probabilities(*arrays, **options, use_avx2=use_avx2)
        found.append((*results, expected))
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)
    plain, with_temperature, last, entropies, expected = found[0]
    for row in range(rows):
        lists = logits[row].tolist(), factors.tolist()
        whole = plain_calibrated(*lists, use_temperature=use_temperature, **NUMBERS)
        assert entropies[row] == pytest.approx(whole[3], rel=1e-5, abs=1e-5)
        for ours, theirs in zip((plain, with_temperature, last), whole, strict=False):
            if len(ours):
                assert np.allclose(ours[row], theirs, rtol=1e-4, atol=1e-30)
                assert abs(ours[row].sum() - 1) < 1e-9
    assert np.allclose(expected, 1 + last.sum(axis=0), rtol=1e-5)


def test_arguments_that_do_not_fit_are_refused():
    logits, targets = np.zeros((2, 20), np.float32), np.zeros((2, 1), np.uint32)
    none, nothing = np.zeros(0, np.float32), np.zeros(0)
    options = NUMBERS | {"use_temperature": True, "use_bias": False}
    for wrong in (np.nan, np.inf, -np.inf):
        for place in (0, 17, 19):
            odd = logits.copy()
            odd[1, place] = wrong
            with pytest.raises(ValueError, match="not finite"):
                calibrated_probabilities(odd, targets, none, nothing, **options)
    for *arrays, lowest in (
        (logits, targets + 20, none, nothing, 0.9),
        (logits, targets[:1], none, nothing, 0.9),
        (logits, targets, none, nothing, 0.1),
        (logits, targets, np.zeros(19, np.float32), nothing, 0.9),
        (logits, targets, none, np.zeros(19), 0.9),
        (logits[:, :0].copy(), targets, none, nothing, 0.9),
    ):
        with pytest.raises(ValueError, match=r"fit|vocabulary|row|range"):
            calibrated_probabilities(*arrays, **options | {"min_temperature": lowest})


def test_a_model_that_is_broken_is_named():
    with pytest.raises(SpikeError, match="not finite"):
        LogitCalibration(20).peek(torch.full((1, 20), torch.nan), EVERY[:1])
    with pytest.raises(ValueError, match="vocabulary"):
        LogitCalibration(20).peek(torch.zeros(1, 20), EVERY[:1] + 1)
