"""Fits of one curve: known parameters are found, intervals cover, and bad curves are named."""

import numpy as np
import pytest

from spike_lm.model.scaling import DataLaw, fit_data_scaling
from spike_lm.model.scaling.bootstrap import block_length, resampled_blocks
from spiketok.errors import SpikeError

LAW = DataLaw(2.611, 77_715, 0.537)
TOKENS = np.linspace(2e8, 2e10, 150)


def curve(seed=0, noise=0.01, correlation=0.0):
    """Losses of the law with relative noise, of an autoregressive process of order one."""
    random = np.random.default_rng(seed)
    shocks, found = random.standard_normal(len(TOKENS)), []
    for shock in shocks:
        last = found[-1] if found else shock
        found.append(correlation * last + np.sqrt(1 - correlation**2) * shock)
    return LAW.loss(TOKENS) * (1 + noise * np.array(found))


def test_parameters_without_noise_are_found():
    law = fit_data_scaling(TOKENS, LAW.loss(TOKENS), replicates=2).law
    assert (law.e, law.b, law.beta) == pytest.approx((LAW.e, LAW.b, LAW.beta), rel=1e-3)


@pytest.mark.parametrize(("correlation", "least"), [(0.0, 8), (0.7, 7)])
def test_intervals_cover_the_truth(correlation, least):
    """Of 10 curves 9 or 10 are expected; fewer are likely for correlated noise."""
    covered = 0
    for seed in range(10):
        losses = curve(seed, correlation=correlation)
        found = fit_data_scaling(TOKENS, losses, replicates=50, seed=seed)
        covered += found.intervals["beta"].covers(LAW.beta)
    assert covered >= least


def test_blocks_are_longer_and_intervals_wider_for_correlated_noise():
    found = [fit_data_scaling(TOKENS, curve(3, correlation=c), replicates=60) for c in (0.0, 0.9)]
    assert found[0].block < found[1].block
    widths = [fit.intervals["e"].high - fit.intervals["e"].low for fit in found]
    assert widths[0] < widths[1]


def test_blocks_hold_neighbours():
    chosen = resampled_blocks(100, 10, 7, np.random.default_rng(0))
    assert chosen.shape == (7, 100)
    assert (np.diff(chosen.reshape(7, 10, 10), axis=2) == 1).all()
    assert block_length(np.zeros(64)) == 4
    assert block_length(np.cumsum(np.ones(64))) == 16


def test_outliers_do_not_move_the_fit():
    losses = curve(1)
    spiked = losses.copy()
    spiked[20:24] *= 2
    plain, robust = (fit_data_scaling(TOKENS, row, replicates=2).law for row in (losses, spiked))
    assert robust.loss(2e10) == pytest.approx(plain.loss(2e10), rel=2e-3)


def test_the_warm_up_is_left_out():
    losses = curve(2)
    broken = np.where(TOKENS < 1e9, 11.0, losses)
    found = [
        fit_data_scaling(TOKENS, row, warmup_tokens=1e9, replicates=2) for row in (losses, broken)
    ]
    assert found[0] == found[1]
    assert found[0].warmup_points == (TOKENS < 1e9).sum()


def test_a_curve_of_any_length_is_fitted():
    tokens = np.linspace(2e8, 2e10, 5003)
    found = fit_data_scaling(tokens, LAW.loss(tokens), replicates=2, warmup_tokens=6e8)
    assert found.fitted_points <= 300 < found.points
    assert found.law.beta == pytest.approx(LAW.beta, rel=1e-2)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (LAW.loss(TOKENS[:5]), "here: 5 losses after the warm-up, at least 8 needed; log more"),
        (np.zeros(0), "here: 0 losses after the warm-up"),
        (np.full(20, 3.0), "here: the loss does not fall after the warm-up; name another run"),
        (np.linspace(3, 5, 20), "here: the loss does not fall"),
        ([3.0, np.nan, *[2.0] * 18], "here: a loss is not finite; name a run that trained"),
        ([3.0, np.inf, *[2.0] * 18], "here: a loss is not finite"),
    ],
)
def test_curves_that_cannot_be_fitted_are_named(losses, words):
    with pytest.raises(SpikeError, match=words):
        fit_data_scaling(TOKENS[: len(losses)], losses, origin="here")


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (5 - 0.1 * np.log(TOKENS), "E is not identified|β is not identified"),
        (3 + 0.05 * np.random.default_rng(0).standard_normal(150), "is not identified"),
    ],
)
def test_parameters_that_a_curve_does_not_determine_are_named(losses, words):
    try:
        found = fit_data_scaling(TOKENS, losses, replicates=60).unidentified
    except SpikeError as error:
        found = f"{error} is not identified"
    assert any(word in found for word in words.split("|"))
