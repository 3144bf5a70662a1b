// Plots with uPlot: a line for the mean of each bucket, a band from its least to its greatest value.
"use strict";

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const HEIGHT = 260;
const shownPlots = [];
const hiddenRuns = new Set();

function colourOf(run) {
  return cssValue(`--r${run % 10}`);
}

function dashOf(run) {
  return DASHES[run % DASHES.length];
}

// Many bands over each other would hide the lines.
function faded(colour, lines) {
  return `${colour}${lines > 3 ? "14" : "2b"}`;
}

// A sample of a run's line for the legend.
function lineSample(run) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const line = document.createElementNS(namespace, "line");
  for (const [name, value] of Object.entries({ width: 28, height: 8, "aria-hidden": "true" })) svg.setAttribute(name, value);
  const stroke = { x1: 0, y1: 4, x2: 28, y2: 4, stroke: `var(--r${run % 10})`, "stroke-width": 3, "stroke-dasharray": dashOf(run).join(" ") };
  for (const [name, value] of Object.entries(stroke)) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

function axis(label, format) {
  const ink = cssValue("--faint");
  const lines = { stroke: cssValue("--line"), width: 1 };
  return { label, labelSize: 22, stroke: ink, grid: lines, ticks: lines, font: "12px system-ui", labelFont: "12px system-ui", values: (_, splits) => splits.map((value) => (value === null ? "" : format(value))) };
}

// lines: [{run, x, mean, low, high}], with low and high or without.
function plot(target, lines, options) {
  const columns = lines.map((line) => [line.x, line.low ?? line.mean, line.high ?? line.mean, line.mean]);
  const series = [{ label: options.xLabel }];
  const bands = [];
  lines.forEach((line, place) => {
    const colour = colourOf(line.run);
    const shared = { spanGaps: true, show: !hiddenRuns.has(line.run), points: { show: false } };
    series.push({ ...shared, width: 0 }, { ...shared, width: 0 });
    series.push({ ...shared, stroke: colour, width: line.thin ? 0.8 : 1.6, dash: line.thin ? [] : dashOf(line.run), points: { show: line.x.length < 2, size: 6 } });
    if (line.low) bands.push({ series: [3 * place + 2, 3 * place + 1], fill: faded(colour, lines.length) });
  });
  const plotted = new uPlot(
    {
      width: Math.max(200, target.clientWidth),
      height: HEIGHT,
      series,
      bands,
      legend: { show: false },
      scales: { x: { time: false, distr: options.logX ? 3 : 1 }, y: { distr: options.logY ? 3 : 1 } },
      axes: [{ ...axis(options.xLabel, options.xFormat), space: 70 }, { ...axis("", options.yFormat), size: 62, labelSize: 0 }],
      cursor: { drag: { x: true, y: false }, points: { show: false }, ...(options.group ? { sync: { key: options.group, filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } } } : {}) },
      hooks: { setCursor: [(one) => showValues(one, lines, options)], setScale: [(one, key) => options.onZoom?.(one, key)] },
    },
    columns.length ? uPlot.join(columns) : [[]],
    target,
  );
  return plotted;
}

function showValues(plotted, lines, options) {
  const place = plotted.cursor.idx;
  if (place === null || place === undefined || plotted.cursor.left < 0) return;
  const x = plotted.posToVal(plotted.cursor.left, "x");
  const parts = lines
    .filter((line) => !hiddenRuns.has(line.run))
    .map((line) => `${line.label ?? options.nameOf(line.run)} ${options.yFormat(line.mean[nearest(line.x, x)])}`);
  options.readout.textContent = `${options.xFormat(x)} ${options.xUnit ?? ""}: ${parts.join("; ")}`;
}

function nearest(sorted, x) {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - sorted[low - 1] < sorted[low] - x ? low - 1 : low;
}

// The summary of a plot with many lines is folded, but read out by screen readers all the same.
function summaryOf(text) {
  if (text.length < 300) return element("p", "summary", text);
  return element("details", "", element("summary", "", "values as text"), element("p", "summary", text));
}

// A figure whose plot is drawn when it is laid out, and again for another theme, size or axis.
function figure(title, summary, wide, draw) {
  const place = element("div", "plot");
  place.role = "img";
  place.ariaLabel = `${title}. ${summary}`;
  const readout = element("output", "readout");
  const made = element("figure", wide ? "wide" : "", element("figcaption", "", title), place, readout, summaryOf(summary));
  let plotted = null;
  shownPlots.push({
    place,
    redraw() {
      plotted?.destroy();
      plotted = draw(place, readout);
    },
    resize: () => plotted?.setSize({ width: Math.max(200, place.clientWidth), height: HEIGHT }),
  });
  return made;
}

function redrawAll() {
  shownPlots.forEach((one) => one.redraw());
}
