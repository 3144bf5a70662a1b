"""Joint fits: published constants are found again, and runs that determine too little are named."""

import numpy as np
import pytest

from spike_lm.model.scaling import CHINCHILLA, fit_joint_scaling
from spiketok.errors import SpikeError

SIZES = np.repeat([1e6, 4e6, 1.6e7, 6.4e7], 3)
LENGTHS = np.tile([2e7, 1.4e8, 1e9], 4)
LOSSES = CHINCHILLA.loss(SIZES, LENGTHS)


def test_constants_without_noise_are_found():
    found = fit_joint_scaling(SIZES, LENGTHS, LOSSES, replicates=2)
    law = found.law
    expected = (CHINCHILLA.e, CHINCHILLA.alpha, CHINCHILLA.beta)
    assert (law.e, law.alpha, law.beta) == pytest.approx(expected, rel=1e-2)
    assert found.r2 > 0.999999


def test_intervals_and_predictions_cover_the_truth():
    covered = np.zeros(3)
    for seed in range(4):
        noise = 1 + 0.002 * np.random.default_rng(seed).standard_normal(len(SIZES))
        found = fit_joint_scaling(SIZES, LENGTHS, LOSSES * noise, replicates=30, seed=seed)
        low, high = np.quantile(found.predictions(1.2e8, 4e9), [0.025, 0.975])
        covered += [
            found.intervals["alpha"].covers(CHINCHILLA.alpha),
            found.intervals["beta"].covers(CHINCHILLA.beta),
            low <= CHINCHILLA.loss(1.2e8, 4e9) <= high,
        ]
    assert (covered >= 3).all()


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        (slice(0, 5), "here: 5 runs for the five parameters of a joint fit; name at least 6"),
        (slice(0, 6), "here: fewer than 3 model sizes; add runs of other model sizes"),
        (slice(0, None, 3), "here: 4 runs"),
    ],
)
def test_runs_that_are_too_few_are_named(kept, words):
    with pytest.raises(SpikeError, match=words):
        fit_joint_scaling(SIZES[kept], LENGTHS[kept], LOSSES[kept], origin="here")


def test_a_run_that_diverged_is_named():
    with pytest.raises(SpikeError, match="here: a loss is not finite; leave out the run"):
        fit_joint_scaling(SIZES, LENGTHS, np.where(SIZES == 1e6, np.nan, LOSSES), origin="here")


def test_runs_that_do_not_depend_on_size_say_so():
    same = 2 + 400 * LENGTHS**-0.3
    found = fit_joint_scaling(SIZES, LENGTHS, same * 1.0, replicates=10)
    assert "covers 0" in found.unidentified
