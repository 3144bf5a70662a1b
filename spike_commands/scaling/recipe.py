"""Fit of scaling laws to runs, as `spike scaling fit` does it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spike_lm.model.scaling import (
    DataFit,
    Derived,
    Interval,
    JointFit,
    derived_quantities,
    fit_data_scaling,
    fit_joint_scaling,
)
from spike_lm.model.scaling.plot import PlottedCurve, plot_data_fits
from spike_lm.model.scoring.bits_per_byte import nats_to_bits
from spiketok.atomic_files import write_durably
from spiketok.errors import SpikeError

from ..callbacks import SILENT, Callbacks
from .curve import VALIDATION, Curve, read_curve

# Share of a curve whose mean is the final training loss of a run without validation.
FINAL = 0.05
KEYS = {"train": "loss", "validation": VALIDATION}
# Quantities in nats per token that also have a meaning per byte.
IN_NATS = ("e", "end_loss", "data_term", "doubling_gain")


def fit_runs(
    paths: Sequence[Path],
    *,
    loss: str = "train",
    warmup: float | None = None,
    parameters: float | None = None,
    knee_tokens: float = 1e9,
    knee_nats: float = 0.005,
    plots: Sequence[Path] = (),
    show: Callbacks = SILENT,
) -> dict[str, Any]:
    """Fit L(D) = E + B·D^-β to each run, and E + A·N^-α + B·D^-β to all of several runs.

    Args:
        paths: run folders, or files `metrics.jsonl`.
        loss: `train` or `validation`: the losses of a curve.
        warmup: share of each curve's tokens to leave out at its start; None: that of the run's
            warm-up.
        parameters: N where a path is no run.
        knee_tokens: more tokens of the knee.
        knee_nats: their least gain.
        plots: files to write; their endings are .png or .svg.
        show: callbacks for progress and remarks.

    Returns:
        The object of `spike scaling fit --json`.

    Raises:
        SpikeError: a run cannot be read, its losses cannot be fitted, or a plot not written.
    """
    curves = [read_curve(path, KEYS[loss]) for path in paths]
    plotted, rows = [], []
    with show.progress("fit", len(curves), "runs") as report:
        for number, curve in enumerate(curves):
            fit = fit_curve(curve, warmup)
            size = curve.parameters or parameters
            derived = derived_quantities(
                fit.law,
                fit.last_tokens,
                parameters=size,
                knee_tokens=knee_tokens,
                knee_nats=knee_nats,
                replicates=fit.replicates,
            )
            rows.append(curve_row(curve, fit, derived, size))
            plotted.append(
                PlottedCurve(
                    name=curve.origin.name,
                    tokens=curve.tokens[fit.warmup_points :],
                    losses=curve.losses[fit.warmup_points :],
                    fit=fit,
                    derived=derived,
                )
            )
            report(number + 1, "")
        joint, why = joint_fit(curves, parameters) if len(curves) > 1 else (None, "")
    if why:
        show.remark(f"no joint fit: {why}")
    for file in plots:
        write_durably(file, plot_data_fits(plotted, file.suffix.lower().removeprefix(".")))
    return {
        "loss": loss,
        "knee": {"more_tokens": knee_tokens, "least_gain": knee_nats},
        "runs": rows,
        "joint": joint_row(joint) if joint else None,
        "plots": [str(file) for file in plots],
    }


def fit_curve(curve: Curve, warmup: float | None) -> DataFit:
    """Fit the law of one curve, the warm-up left out."""
    share = warmup if warmup is not None else curve.warmup or 0.0
    return fit_data_scaling(
        curve.tokens,
        curve.losses,
        warmup_tokens=share * float(curve.tokens[-1]),
        origin=str(curve.origin),
    )


def joint_fit(curves: Sequence[Curve], parameters: float | None) -> tuple[JointFit | None, str]:
    """Fit the law of several runs to their final losses; or return why there is none."""
    sizes = [curve.parameters or parameters for curve in curves]
    if None in sizes:
        return None, f"{curves[sizes.index(None)].origin} has no run, so no number of parameters"
    finals = [final_loss(curve) for curve in curves]
    try:
        return fit_joint_scaling(
            np.array(sizes, np.float64),
            np.array([tokens for tokens, _ in finals]),
            np.array([loss for _, loss in finals]),
        ), ""
    except SpikeError as error:
        return None, str(error).partition(": ")[2]


def final_loss(curve: Curve) -> tuple[float, float]:
    """Return the tokens and the loss at the end of a curve.

    It is the last validation, or of a training curve the mean of its last 5 %: of single batches
    the last one is noise.
    """
    end = float(curve.tokens[-1])
    late = curve.losses[curve.tokens >= (1 - FINAL) * end]
    return end, float(late.mean())


def curve_row(curve: Curve, fit: DataFit, derived: Derived, size: float | None) -> dict[str, Any]:
    """Return the result of one run.

    Args:
        curve: of the run.
        fit: of the curve.
        derived: from the fit.
        size: number of parameters; None where it is unknown.
    """
    law = asdict(fit.law)
    quantities = {
        name: getattr(derived, name)
        for name in (
            "end_tokens",
            "end_loss",
            "data_term",
            "doubling_gain",
            "knee_by_derivative",
            "knee_by_difference",
        )
    }
    per_byte = None
    if curve.bytes_per_token:
        nats = {"e": fit.law.e, **quantities}
        per_byte = {name: nats_to_bits(nats[name]) / curve.bytes_per_token for name in IN_NATS}
    return {
        "run": str(curve.origin),
        "parameters": size,
        "points": fit.points,
        "warmup_points": fit.warmup_points,
        **law,
        "r2": fit.r2,
        "noise": fit.noise,
        "block": fit.block,
        **quantities,
        "doubling_perplexity_share": 1 - float(np.exp(-derived.doubling_gain)),
        "intervals": interval_rows({**fit.intervals, **derived.intervals}),
        "bits_per_byte": per_byte,
        "optimal_tokens": asdict(derived.optimal) if derived.optimal else None,
        "learning_rate_decays": curve.decays,
        "unidentified": fit.unidentified or None,
    }


def joint_row(fit: JointFit) -> dict[str, Any]:
    """Return the result of a joint fit."""
    return {
        "runs": fit.runs,
        **asdict(fit.law),
        "r2": fit.r2,
        "noise": fit.noise,
        "intervals": interval_rows(fit.intervals),
        "unidentified": fit.unidentified or None,
    }


def interval_rows(intervals: dict[str, Interval]) -> dict[str, list[float]]:
    """Return intervals as pairs of numbers."""
    return {name: [found.low, found.high] for name, found in intervals.items()}
