// Curves of training: one axis for all of them, zoomed together.
"use strict";

const AXES = {
  tokens: { label: "tokens", x: (run, series) => series.tokens, format: short, unit: "tokens" },
  time: { label: "seconds of training", x: (run, series) => series.seconds, format: lasted, unit: "" },
  flops: { label: "FLOPs", x: (run, series) => series.tokens.map((tokens) => tokens * run.size.flops_per_token), format: short, unit: "FLOPs" },
};
const CURVES = [
  ["loss", "Loss, nats per token", (value) => fixed(value, 3)],
  ["score", "Validation", (value) => fixed(value, 4)],
  ["learning_rate", "Learning rate", short],
  ["tokens_per_second", "Throughput, tokens per second", short],
  ["gradient_norm", "Gradient norm", short],
];
const curveState = { axis: "tokens", logX: false, zooming: false, plots: new Set() };

function curvesSection(runs) {
  const withCurves = runs.filter((run) => run.series && Object.keys(run.series).length);
  if (!withCurves.length) return [none("No run has metrics: spike train writes metrics.jsonl.")];
  const plots = element("div", "plots");
  for (const [name, title, format] of CURVES) {
    const having = withCurves.filter((run) => run.series[name]);
    const heading = name === "score" ? `Validation, ${scoreName(having)}` : title;
    if (having.length) plots.append(curve(name, heading, format, having));
    else plots.append(element("figure", "", element("figcaption", "", heading), none(absentCurve(name))));
  }
  return [controls(), plots, element("p", "note", "A line is the mean of each bucket of neighbouring values, the band reaches from the least to the greatest. Drag to zoom, double-click to reset.")];
}

function scoreName(having) {
  return having.length ? having[0].score_name.replaceAll("_", " ") : "bits per byte";
}

function absentCurve(name) {
  return name === "score" ? "No run was validated: set validation.windows above 0, with a validation split." : "Not in metrics.jsonl.";
}

function curve(name, title, format, having) {
  const summary = having.map((run) => described(run, run.series[name], format)).join("; ");
  return figure(title, `${summary}.`, name === "loss", (place, readout) => {
    const chosen = AXES[curveState.axis];
    const lines = having.map((run) => {
      const series = run.series[name];
      const band = series.total > series.mean.length;
      return { run: run.number, x: chosen.x(run, series), mean: series.mean, ...(band ? { low: series.low, high: series.high } : {}) };
    });
    const plotted = plot(place, lines, {
      xLabel: chosen.label, xFormat: chosen.format, xUnit: chosen.unit, yFormat: format, readout,
      logX: curveState.logX, group: "curves", onZoom: zoomOthers, nameOf: (number) => data.runs[number].name,
    });
    curveState.plots.add(plotted);
    plotted.hooks.destroy = [() => curveState.plots.delete(plotted)];
    return plotted;
  });
}

function described(run, series, format) {
  const last = series.mean.length - 1;
  const buckets = series.total > series.mean.length ? `${whole(series.total)} values in ${series.mean.length} buckets` : `${whole(series.total)} values`;
  return `${run.name}: ${format(series.mean[0])} to ${format(series.mean[last])}, least ${format(Math.min(...series.low))}, greatest ${format(Math.max(...series.high))}, ${buckets}`;
}

function zoomOthers(zoomed, key) {
  if (key !== "x" || curveState.zooming) return;
  curveState.zooming = true;
  const { min, max } = zoomed.scales.x;
  for (const other of curveState.plots) if (other !== zoomed) other.setScale("x", { min, max });
  curveState.zooming = false;
}

function zoomBy(factor) {
  const [first] = curveState.plots;
  if (!first) return;
  const { min, max } = first.scales.x;
  const half = ((max - min) / 2) * factor;
  const middle = (min + max) / 2;
  first.setScale("x", { min: Math.max(middle - half, curveState.logX ? min / 2 : -Infinity), max: middle + half });
}

function move(share) {
  const [first] = curveState.plots;
  if (!first) return;
  const { min, max } = first.scales.x;
  const step = (max - min) * share;
  first.setScale("x", { min: min + step, max: max + step });
}

function controls() {
  const axes = Object.keys(AXES).map((name) => {
    const made = button(name === "flops" ? "FLOPs" : name, () => {
      curveState.axis = name;
      axes.forEach((one) => (one.ariaPressed = one === made));
      redrawAll();
    });
    made.ariaPressed = name === curveState.axis;
    return made;
  });
  const log = button("log axis", () => {
    curveState.logX = !curveState.logX;
    log.ariaPressed = curveState.logX;
    redrawAll();
  });
  log.ariaPressed = false;
  const zooms = [["zoom in", () => zoomBy(0.5)], ["zoom out", () => zoomBy(2)], ["←", () => move(-0.5)], ["→", () => move(0.5)], ["reset", redrawAll]];
  return element("div", "controls", "against", ...axes, log, ...zooms.map(([label, action]) => button(label, action)));
}
