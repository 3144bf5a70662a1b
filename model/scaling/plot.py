"""Plot of a fitted scaling law with its interval, as PNG or SVG; the only user of matplotlib."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spiketok.errors import SpikeError

from .derived import Derived
from .fit import DataFit
from .nonnegative import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of Okabe and Ito 2008: distinct for colour-blind readers and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SIZE, DPI = (7.0, 4.5), 150
# The line goes on to this multiple of the tokens seen.
BEYOND = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlottedCurve:
    """Curve of one run with its fit.

    Attributes:
        name: of the run.
        tokens: D of each point, [n].
        losses: nats per token, [n].
        fit: of the curve.
        derived: from the fit.
    """

    name: str
    tokens: Array
    losses: Array
    fit: DataFit
    derived: Derived


def plot_data_fits(curves: Sequence[PlottedCurve], kind: str) -> bytes:
    """Return a picture of curves, fits, 95 % intervals and data terms.

    Args:
        curves: at least one.
        kind: `png` or `svg`.

    Raises:
        SpikeError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
    except ImportError:
        raise SpikeError(
            "--plot: needs matplotlib, which is not installed; pip install 'spike-lm[plot]'"
        ) from None
    # Text stays text in SVG, and ids do not depend on the time.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spike"}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for curve, colour in zip(curves, COLOURS * len(curves), strict=False):
            _plot_one(axes, curve, colour, alone=len(curves) == 1)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("training tokens D")
        axes.set_ylabel("loss, nats per token")
        axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        output = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(output, format=kind, dpi=DPI, metadata=metadata)
    return output.getvalue()


def _plot_one(axes: "Axes", curve: PlottedCurve, colour: str, alone: bool) -> None:
    """Plot points, fit and interval of one run; of a single run also E and the knee."""
    fit, law = curve.fit, curve.fit.law
    shown: dict[str, Any] = {"color": colour, "zorder": 1, "linewidths": 0}
    axes.scatter(curve.tokens, curve.losses, s=6, alpha=0.35, **shown)
    line = np.geomspace(fit.first_tokens, BEYOND * fit.last_tokens, 200)
    low, high = fit.band(line)
    inside = line <= fit.last_tokens
    label = f"{curve.name}: {law.e:.3f} + {law.b:,.4g}·D^-{law.beta:.3f}, R² {fit.r2:.3f}"
    axes.plot(line[inside], law.loss(line[inside]), color=colour, linewidth=1.6, label=label)
    axes.plot(line, law.loss(line), color=colour, linewidth=1.2, linestyle=":")
    shade = "95 % interval" if alone else None
    axes.fill_between(line, low, high, color=colour, alpha=0.2, linewidth=0, label=shade)
    if alone:
        # Far below the curve E would press it flat; the legend has its value.
        if law.e > curve.losses.min() - np.ptp(curve.losses):
            axes.axhline(law.e, color="#555555", linewidth=0.8, linestyle="--", label="E")
        knee = curve.derived.knee_by_difference
        if line[0] <= knee <= line[-1]:
            axes.axvline(knee, color="#555555", linewidth=0.8, linestyle="-.", label="knee")
