"""The scaling-law paragraph of the seeds' cards, from its printed constants."""

import numpy as np
import pytest

from spike_lm.model.scaling import CHINCHILLA, DataLaw, derived_quantities
from spike_lm.model.scaling.law import optimal_tokens

SEED, PARAMETERS, TOKENS = DataLaw(2.611, 77_715, 0.537), 85.7e6, 20e9
FOUND = derived_quantities(SEED, TOKENS, parameters=PARAMETERS)
OPTIMAL = FOUND.optimal


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (FOUND.data_term, "0.228"),
        (FOUND.doubling_gain, "0.071"),
        # exp(0.071) - 1: the perplexity before is so much larger than the one after.
        (100 * np.expm1(FOUND.doubling_gain), "7.4"),
        (FOUND.knee_by_derivative / 1e9, "22.85"),
        (FOUND.knee_by_difference / 1e9, "22.35"),
        (SEED.gain(22.5e9, 1e9), "0.00495"),
        (OPTIMAL.capacity_term, "0.816"),
        (OPTIMAL.data_term, "0.536"),
        (OPTIMAL.mixed / 1e9, "4.38"),
        (TOKENS / OPTIMAL.mixed, "4.57"),
        (OPTIMAL.chinchilla / 1e9, "2.2"),
        (OPTIMAL.per_parameter / 1e9, "1.7"),
        (TOKENS / PARAMETERS, "233"),
    ],
)
def test_every_printed_figure_follows_from_the_constants(value, printed):
    digits = len(printed.partition(".")[2])
    assert f"{value:.{digits}f}" == printed


def test_the_final_loss_is_the_printed_one_but_for_the_rounding_of_e():
    """2.8395 from E = 2.611, rounded from 2.6105 to 2.6115; printed as 2.840."""
    assert FOUND.end_loss - 0.0005 < 2.840 < FOUND.end_loss + 0.001


def test_the_seed_trained_11_to_12_times_longer_than_20_tokens_a_parameter():
    assert 11 < TOKENS / OPTIMAL.per_parameter < 12


def test_the_knee_is_where_the_gain_is_the_least_one():
    assert SEED.gain(FOUND.knee_by_difference, 1e9) == pytest.approx(0.005, rel=1e-9)
    slope = SEED.gain(FOUND.knee_by_derivative, 1e3) / 1e3
    assert slope * 1e9 == pytest.approx(0.005, rel=1e-4)
    assert DataLaw(2.0, 1e-9, 0.5).knee_by_difference(0.005, 1e9) == pytest.approx(0, abs=1)


def test_the_optimum_minimises_the_loss_of_its_compute():
    """By definition: of all N and D with N·D fixed, no neighbour has a lower loss."""
    tokens = optimal_tokens(PARAMETERS, CHINCHILLA)
    factors = np.geomspace(0.5, 2, 101)
    losses = CHINCHILLA.loss(PARAMETERS * factors, tokens / factors)
    assert np.argmin(losses) == 50


def test_replicates_give_intervals():
    rows = np.array([[2.6, 77_000.0, 0.53], [2.62, 78_000.0, 0.54]])
    found = derived_quantities(SEED, TOKENS, replicates=rows).intervals
    low, high = (DataLaw(*row).data_term(TOKENS) for row in rows[::-1])
    assert low < found["data_term"].low < found["data_term"].high < high
