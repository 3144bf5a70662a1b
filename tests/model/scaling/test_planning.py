"""Predictions from probes of a known law, and the size that they choose."""

import numpy as np
import pytest

from spike_lm.model.scaling import CoupledLaw
from spike_lm.model.scaling.design import ModelSize
from spike_lm.model.scaling.planning import best_size, fit_probes, predicted, seconds_per_token

LAW = CoupledLaw(40.0, 0.27, 14.0, 0.1)
PARAMETERS = np.tile([4e4, 9e4, 2e5, 4e5], 3)
TOKENS = np.repeat([0.25, 0.5, 1.0], 4) * 4e10 / PARAMETERS
SIZES = [
    ModelSize(dim=dim, parameters=10 * dim**2, flops_per_token=60.0 * dim**2)
    for dim in range(32, 513, 16)
]


def probes(noise, seed=0):
    exact = LAW.loss(PARAMETERS, TOKENS)
    return exact * (1 + noise * np.random.default_rng(seed).standard_normal(12))


def test_predictions_of_ten_times_the_compute_cover_the_truth():
    covered, truth = 0, LAW.loss(5e5, 8e5)
    for seed in range(4):
        fit = fit_probes(PARAMETERS, TOKENS, probes(0.003, seed))
        interval = predicted(fit, 5e5, 8e5).interval
        assert interval.high - interval.low < 0.2 * truth
        covered += interval.covers(truth)
    assert covered >= 3


def test_intervals_widen_with_the_compute_beyond_the_probes():
    fit = fit_probes(PARAMETERS, TOKENS, probes(0.003))
    noises = [fit.noise(4e5, tokens) for tokens in (1e5, 1e6, 1e7)]
    assert noises[0] == pytest.approx(max(fit.coupled.noise, 0.003))
    assert noises[0] < noises[1] < noises[2]
    assert fit.held_out_ratio == pytest.approx(2)


def test_the_best_size_has_the_least_loss_of_the_time():
    fit = fit_probes(PARAMETERS, TOKENS, probes(0.0))
    speeds = np.array([1e10 / size.flops_per_token for size in SIZES])
    time_of = seconds_per_token(SIZES, speeds)
    assert time_of(SIZES[3]) == pytest.approx(1 / speeds[3], rel=1e-6)
    choice = best_size(fit, SIZES, time_of, 600)
    losses = [LAW.loss(size.parameters, 600 / time_of(size)) for size in SIZES]
    assert choice.prediction.loss == pytest.approx(min(losses), rel=2e-3)
    assert 32 < choice.size.dim < 512
    assert best_size(fit, SIZES, time_of, 60_000).size.dim > choice.size.dim


def test_times_have_a_constant_part():
    times = [1e-5 + 2e-11 * size.flops_per_token for size in SIZES]
    time_of = seconds_per_token(SIZES[::6], 1 / np.array(times[::6]))
    assert [time_of(size) for size in SIZES] == pytest.approx(times, rel=1e-6)
