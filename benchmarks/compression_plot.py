"""Draws bits per byte over artifact bytes, a panel for each preset, from compression.py's rows."""

import statistics
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

# Curves by the beginning of their packings' names, then single points by training and packing.
CURVES = {
    "RTN": ("RTN, 3 and 4 bits", "tab:orange", "o"),
    "GPTQ": ("GPTQ, 3 and 4 bits", "tab:blue", "s"),
    "GPTQ to the row's largest": ("GPTQ to the row's largest, 3 and 4 bits", "tab:cyan", "s"),
}
POINTS = {
    ("float", "GPTQ, 400,000 bytes"): ("GPTQ, budget of 400,000 bytes", "black", "P"),
    ("float", "RTN"): ("RTN, the record's bits", "tab:orange", "*"),
    ("float", "GPTQ"): ("GPTQ, the record's bits", "tab:blue", "*"),
    ("float", "GPTQ, pruned"): ("GPTQ, 5 % pruned", "tab:blue", "x"),
    ("late QAT", "QAT"): ("late QAT", "tab:green", "^"),
    ("QAT from the start", "QAT"): ("QAT from the start", "tab:red", "v"),
}


def draw(rows: list[dict[str, Any]], out: Path) -> None:
    """Write the plot; means over the seeds."""
    presets = list(dict.fromkeys(row["preset"] for row in rows))
    plt.rcParams.update({"svg.hashsalt": "spike", "font.size": 9, "svg.fonttype": "none"})
    figure, panels = plt.subplots(1, len(presets), figsize=(4.2 * len(presets), 4.7), squeeze=False)
    for preset, panel in zip(presets, panels[0], strict=True):
        draw_preset(means([row for row in rows if row["preset"] == preset]), panel)
        panel.set_title(preset)
        panel.set_xlabel("bytes of the artifact, thousands")
    panels[0][0].set_ylabel("bits per byte of held-out books")
    handles: dict[str, Any] = {}
    for panel in panels[0]:
        drawn, labels = panel.get_legend_handles_labels()
        handles |= dict(zip(labels, drawn, strict=True))
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.18, 1, 1))
    figure.savefig(out, metadata={"Date": None, "Creator": None})


def means(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return (kilobytes, bits per byte) by (training, packing).

    Bits per byte are the mean of the float models and what is lost against the one of equal seed,
    so that what has fewer seeds than others stands in its right place beside them.
    """
    whole = {row["seed"]: row["bits_per_byte"] for row in rows if row["packing"] == "float"}
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in rows:
        lost = row["bits_per_byte"] - whole[row["seed"]]
        found.setdefault((row["way"], row["packing"]), []).append((row["bytes"] / 1000, lost))
    level = statistics.mean(whole.values())
    return {
        key: (
            statistics.mean(size for size, _ in of),
            level + statistics.mean(lost for _, lost in of),
        )
        for key, of in found.items()
    }


def draw_preset(points: dict[tuple[str, str], tuple[float, float]], panel: Any) -> None:
    """Draw one preset: curves over bits, single points, and a line where the float model is."""
    for name, (label, colour, marker) in CURVES.items():
        line = sorted(
            at
            for (_, packing), at in points.items()
            if packing.removesuffix(" bits").rpartition(", ")[0] == name and "bits" in packing
        )
        if line:
            panel.plot(*zip(*line, strict=True), color=colour, marker=marker, ms=4, label=label)
    for key, (label, colour, marker) in POINTS.items():
        if key in points:
            panel.plot(*points[key], marker, color=colour, ms=6, ls="", label=label)
    if ("float", "float") in points:
        score = points["float", "float"][1]
        panel.axhline(score, color="grey", ls="--", lw=1, label="float")
    panel.grid(alpha=0.3)
