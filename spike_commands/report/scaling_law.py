"""Scaling law of a run for the report: its fit, and the fitted curve with an interval."""

from pathlib import Path
from typing import Any

import numpy as np

from spike_lm.model.scaling import derived_quantities
from spiketok.errors import SpikeError

from ..scaling.curve import read_curve
from ..scaling.recipe import curve_row, fit_curve
from .series import rounded

POINTS = 100
# The fitted curve goes on to this multiple of the tokens seen.
BEYOND = 4.0


def scaling_law(run: Path) -> dict[str, Any]:
    """Return the fit of L(D) = E + B·D^-β to a run's losses, or `missing`, why there is none."""
    try:
        curve = read_curve(run)
        fit = fit_curve(curve, None)
    except SpikeError as error:
        return {"missing": str(error)}
    size = curve.parameters
    derived = derived_quantities(
        fit.law, fit.last_tokens, parameters=size, replicates=fit.replicates
    )
    tokens = np.geomspace(fit.first_tokens, BEYOND * fit.last_tokens, POINTS)
    low, high = fit.band(tokens)
    columns = {"tokens": tokens, "mean": fit.law.loss(tokens), "low": low, "high": high}
    return {
        **curve_row(curve, fit, derived, size),
        "curve": {name: [rounded(float(v)) for v in column] for name, column in columns.items()},
    }
