// The report: its sections in order, the legend, themes and printing.
"use strict";

const data = JSON.parse(byId("data").textContent);
const runs = data.runs.map((run, number) => ({ ...run, number }));

const SECTIONS = [
  ["Runs", () => overviewSection(runs)],
  ["Training", () => curvesSection(runs)],
  ["Comparison", () => pairsSection(data.pairs)],
  ["Tasks", () => tasksSection(runs)],
  ["Scaling law", () => scalingSection(runs)],
  ["Lineage", () => lineageSection(runs)],
  ["Samples", () => samplesSection(runs)],
  ["Repeated passages", () => repeatsSection(runs)],
  ["Packed model", () => artifactSection(runs)],
  ["Tokens", () => dataSection(runs, data.data, tokenNodes)],
  ["Shards", () => dataSection(runs, data.data, shardNodes)],
];

function renderLegend() {
  for (const run of runs.filter((one) => one.series)) {
    const made = button("", () => {
      if (!hiddenRuns.delete(run.number)) hiddenRuns.add(run.number);
      made.ariaPressed = !hiddenRuns.has(run.number);
      redrawAll();
    });
    made.ariaPressed = true;
    made.append(lineSample(run.number), run.name);
    byId("legend").append(made);
  }
}

function renderSections() {
  SECTIONS.forEach(([title, render], number) => {
    const section = element("section", "", element("h2", "", title), ...render());
    section.id = `section-${number}`;
    byId("sections").append(section);
    const link = element("a", "", title);
    link.href = `#section-${number}`;
    byId("contents").append(link);
  });
}

function listen() {
  byId("theme").addEventListener("click", () => {
    nextTheme();
    redrawAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
  let chosen;
  const print = (begins) => {
    if (begins) chosen = document.documentElement.dataset.theme ?? "auto";
    document.documentElement.dataset.theme = begins ? "light" : chosen;
    redrawAll();
  };
  matchMedia("print").addEventListener("change", (event) => print(event.matches));
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) shownPlots.forEach((one) => one.resize());
    width = innerWidth;
  });
}

function start() {
  const title = runs.length === 1 ? runs[0].name : `${runs.length} runs`;
  byId("title").textContent = document.title = title;
  byId("subtitle").textContent = `Report of spike ${data.spike}. Differences are those of a run minus the first one.`;
  renderLegend();
  renderSections();
  listen();
  redrawAll();
}

start();
