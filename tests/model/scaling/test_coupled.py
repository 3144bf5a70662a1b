"""Coupled laws: known ones are found again, and the larger term decides."""

import numpy as np
import pytest

from spike_lm.model.scaling import CoupledLaw, fit_coupled_scaling
from spiketok.errors import SpikeError

LAW = CoupledLaw(40.0, 0.27, 14.0, 0.1)
SIZES = np.tile([3e4, 8e4, 1.3e5, 1.9e5], 3)
LENGTHS = np.repeat([0.25, 0.5, 1.0], 4) * 4e10 / SIZES
LOSSES = LAW.loss(SIZES, LENGTHS)


def test_a_law_without_noise_is_found():
    found = fit_coupled_scaling(SIZES, LENGTHS, LOSSES, replicates=2)
    law = found.law
    assert (law.alpha, law.beta) == pytest.approx((LAW.alpha, LAW.beta), rel=0.05)
    assert law.loss(3e5, 4e6) == pytest.approx(LAW.loss(3e5, 4e6), rel=2e-3)
    assert found.r2 > 0.9999


def test_predictions_cover_the_truth():
    covered = 0
    for seed in range(4):
        noise = 1 + 0.003 * np.random.default_rng(seed).standard_normal(12)
        found = fit_coupled_scaling(SIZES, LENGTHS, LOSSES * noise, replicates=40, seed=seed)
        assert found.noise == pytest.approx(0.003, rel=0.8)
        low, high = np.quantile(found.predictions(2.6e5, 1.7e6), [0.025, 0.975])
        covered += low <= LAW.loss(2.6e5, 1.7e6) <= high
    assert covered >= 3


def test_the_larger_term_decides():
    assert LAW.loss(1e3, 1e30) == pytest.approx(LAW.a * 1e3**-LAW.alpha, rel=1e-3)
    assert LAW.loss(1e30, 1e3) == pytest.approx(LAW.b * 1e3**-LAW.beta, rel=1e-3)


def test_runs_that_are_too_few_are_named():
    with pytest.raises(SpikeError, match="here: fewer than 3 model sizes"):
        fit_coupled_scaling(SIZES[:6] * 0 + 1e5, LENGTHS[:6], LOSSES[:6], origin="here")
