// Sections of the report other than the curves; each returns nodes.
"use strict";

function overviewSection(runs) {
  const rows = runs.map((run) => [
    run.name, run.state, run.state === "damaged" ? "–" : `${whole(run.step)} of ${whole(run.steps)}`, short(run.size?.parameters), short(run.tokens || null),
    short(run.size ? run.tokens * run.size.flops_per_token : null), fixed(run.loss, 3), fixed(run.score), short(run.tokens_per_second),
  ]);
  const made = [table("", ["run", "state", "steps", "parameters", "tokens", "FLOPs", "loss", scoreName(runs.filter((run) => run.score_name)), "tokens/s"], rows)];
  for (const run of runs) if (run.reason) made.push(element("p", "damaged", run.reason));
  return made;
}

function lineageSection(runs) {
  const known = runs.filter((run) => run.fingerprints && run.state !== "damaged");
  const names = [...new Set(known.flatMap((run) => Object.keys(run.fingerprints)))];
  const rows = names.map((name) => [name, ...known.map((run) => code(run.fingerprints[name]))]);
  rows.push(["initial weights", ...known.map((run) => run.parent ?? (run.fingerprints.init ? "a run that is not listed" : "random"))]);
  rows.push(["spike", ...known.map((run) => run.spike ?? "–")], ["torch", ...known.map((run) => run.torch ?? "–")]);
  return [table("Fingerprints of inputs and versions of programs", ["", ...known.map((run) => run.name)], rows)];
}

function code(text) {
  const made = element("span", "code", text ? `${text.slice(0, 16)}…` : "–");
  if (text) made.title = text;
  return made;
}

function pairsSection(pairs) {
  if (!pairs.length) return [none("One run alone: name several runs, spike report A B.")];
  return pairs.flatMap((pair) => [element("h3", "", `${pair.runs[1]} − ${pair.runs[0]}`), ...pairNodes(pair)]);
}

function pairNodes(pair) {
  const keys = Object.entries(pair.config).map(([key, values]) => [key, ...values.map(shownValue)]);
  const made = [keys.length ? table("Keys and fingerprints that differ", ["key", ...pair.runs], keys) : element("p", "", "All keys and fingerprints are equal.")];
  const last = pair.validation.at(-1);
  if (!last) made.push(none("No validation after the same number of tokens."));
  else {
    const rows = pair.validation.slice(-8).map((row) => [whole(row.tokens), ...row.scores.map((score) => fixed(score)), signed(row.difference)]);
    made.push(table(`Validation, ${last.score_name.replaceAll("_", " ")}`, ["tokens", ...pair.runs, "difference"], rows));
    const why = "The validation texts differ (data, windows or context), so these differences are not paired.";
    if (!pair.same_validation_text) made.push(element("p", "damaged", why));
  }
  if (pair.text) {
    const row = ["bits per byte", ...pair.text.scores.map((score) => fixed(score)), signed(pair.text.difference), ...intervalOf(pair.text, 4)];
    const caption = `Text: ${whole(pair.text.items)} documents, ${whole(pair.text.bytes)} bytes`;
    made.push(table(caption, ["", ...pair.runs, "difference", "95 % interval", ""], [row]));
  } else made.push(none("No interval: --text FILE scores both models on the same documents."));
  if (pair.items?.length) {
    const compared = pair.items.filter((row) => !row.reason);
    const rows = compared.map((row) => [`${row.task} · ${row.metric}`, whole(row.items), ...row.scores.map((score) => fixed(score)), signed(row.difference), ...intervalOf(row, 4), fixed(row.p_value, 4)]);
    if (rows.length) made.push(table("Tasks, the same items", ["task", "items", ...pair.runs, "difference", "95 % interval", "", "McNemar p"], rows));
    for (const row of pair.items) if (row.reason) made.push(none(`${row.task}: ${row.reason}.`));
  } else made.push(none("No paired task items: --items FILE for each run, from spike eval RUN --tasks … --items FILE."));
  return made;
}

function shownValue(value) {
  if (value === null) return "–";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[0-9a-f]{64}$/.test(text) ? code(text) : text;
}

function tasksSection(runs) {
  const known = runs.filter((run) => run.tasks?.length);
  if (!known.length) return [none("No task scores: spike eval RUN --tasks all --save-results.")];
  const names = [...new Set(known.flatMap((run) => run.tasks.map((row) => `${row.task} · ${row.metric}`)))];
  const rowOf = (run, name) => run.tasks.find((row) => `${row.task} · ${row.metric}` === name);
  const rows = names.map((name) => [name, ...known.map((run) => taskScore(rowOf(run, name)))]);
  const missing = runs.filter((run) => run.series && !run.tasks?.length).map((run) => none(`${run.name}: no task scores.`));
  for (const run of known) if (!run.tasks_are_current) missing.push(element("p", "damaged", `${run.name}: its task scores are of another step.`));
  const scores = table("Main metric of each task with its binomial standard error", ["task", ...known.map((run) => run.name)], rows);
  return [scores, table("Items, and 50-byte windows of them that the training split has", ["task", "items", "chance", "seen in training", "runs"], known.length ? overlapRows(known, names, rowOf) : []), ...missing];
}

function taskScore(row) {
  const error = row?.[`${row.metric}_error`];
  return error === undefined ? fixed(row?.[row?.metric]) : `${fixed(row[row.metric])} ± ${fixed(error)}`;
}

// A row for runs with equal items and overlap.
function overlapRows(known, names, rowOf) {
  return names.flatMap((name) => {
    const groups = new Map();
    for (const run of known) {
      const row = rowOf(run, name);
      if (!row) continue;
      const seen = row.overlap ? `${whole(row.overlap.byte_windows_seen)} of ${whole(row.overlap.byte_windows)} windows` : "not known";
      const cells = [whole(row.items), fixed(row.chance, 3), seen];
      const key = cells.join("|");
      groups.set(key, { cells, runs: [...(groups.get(key)?.runs ?? []), run.name] });
    }
    return [...groups.values()].map(({ cells, runs }) => [name, ...cells, runs.length === known.length ? "all" : runs.join(", ")]);
  });
}

function dataSection(runs, statistics, part) {
  const known = Object.entries(statistics);
  if (!known.length) return [none("The shards were not read: leave out --no-data, for runs that have data.")];
  return known.flatMap(([fingerprint, found]) => {
    const names = runs.filter((run) => run.fingerprints?.data === fingerprint).map((run) => run.name);
    const heading = element("h3", "", `Data ${fingerprint.slice(0, 12)}: ${names.join(", ")}`);
    return [heading, ...(found.missing ? [none(`${found.missing}.`)] : part(found))];
  });
}

function shardNodes(found) {
  const { shards } = found;
  const names = ["train", "validation"];
  const rows = names.map((name) => [name, ...["documents", "tokens", "bytes"].map((what) => whole(shards[`${name}_${what}`]))]);
  const dropped = Object.entries(shards.dropped).map(([why, count]) => `${whole(count)} ${why}`).join(", ") || "none";
  const facts = [["files of shards", whole(shards.shards)], ["bytes of shards", whole(shards.shard_bytes)], ["sources", whole(shards.sources)], ["bytes per token", fixed(shards.bytes_per_token)], ["exact copies", whole(shards.copied_documents)], ["left out", dropped]];
  return [element("div", "columns", table("Splits", ["split", "documents", "tokens", "bytes of text"], rows), table("Folder", ["", ""], facts), histogram("Training documents by length in tokens", "tokens", found.documents))];
}

function histogram(caption, unit, ranges) {
  const most = Math.max(1, ...ranges.map((one) => one.count));
  ranges = ranges.slice(ranges.findIndex((one) => one.count));
  const rows = ranges.map((one) => [one.from === one.to ? whole(one.from) : `${whole(one.from)}–${whole(one.to)}`, whole(one.count), bar(one.count / most)]);
  return table(caption, [unit, "documents", ""], rows);
}

function tokenNodes({ tokens }) {
  const most = Math.max(...tokens.lengths.map((one) => one.share));
  const lengths = tokens.lengths.map((one) => [whole(one.bytes), whole(one.entries), `${(100 * one.share).toFixed(2)} %`, bar(one.share / most)]);
  const entries = (caption, rows) => table(caption, ["entry", "id", "bytes", "uses"], rows.map((one) => [element("span", "code", one.text), String(one.id), whole(one.bytes), whole(one.uses)]));
  const unused = `${whole(tokens.unused)} of ${whole(tokens.entries)} entries are unused in the training split`;
  const ranks = figure("Uses by rank", `The most used entry has ${whole(tokens.ranks[0]?.[1])} uses; ${unused}.`, true, (place, readout) =>
    plot(place, [{ run: 0, x: tokens.ranks.map(([rank]) => rank), mean: tokens.ranks.map(([, uses]) => uses) }], { xLabel: "rank", xFormat: short, yFormat: short, readout, logX: true, logY: true, nameOf: () => "uses" }),
  );
  const shown = tokens.unused_examples.flatMap((text) => [element("span", "code", text), " "]);
  const examples = element("details", "", element("summary", "", `${unused}: examples`), ...shown);
  return [ranks, element("div", "columns", table("Entries by length, and their share of all uses", ["bytes", "entries", "uses", ""], lengths), entries("Most used entries", tokens.most_used), entries("Longest used entries", tokens.longest)), tokens.unused ? examples : element("p", "", "Every entry is used.")];
}

function artifactSection(runs) {
  const known = runs.filter((run) => run.artifact);
  const made = known.flatMap((run) => {
    const { artifact } = run;
    const parts = Object.entries({ ...artifact.parts, ...artifact.sections }).filter(([name, size]) => name !== "weights" && size);
    const rows = parts.map(([name, size]) => [name, whole(size), `${((100 * size) / artifact.bytes).toFixed(1)} %`, bar(size / artifact.bytes)]);
    return [table(`${run.name}: ${artifact.file}, ${whole(artifact.bytes)} bytes, ${fixed(artifact.bits_per_weight, 2)} bits per weight`, ["part", "bytes", "share", ""], rows)];
  });
  const missing = runs.filter((run) => run.size && !run.artifact).map((run) => none(`${run.name}: no packed model of this step: spike pack ${run.run}, or --artifact FILE.`));
  return [...made, ...missing];
}

function scalingSection(runs) {
  return runs.filter((run) => run.scaling).flatMap((run) => {
    const heading = element("h3", "", run.name);
    return [heading, ...(run.scaling.missing ? [none(`No fit: ${run.scaling.missing}.`)] : scalingNodes(run, run.scaling))];
  });
}

function scalingNodes(run, law) {
  const digits = (value) => fixed(value, 4);
  const row = (label, name, show) => [label, show(law[name]), law.intervals[name] ? law.intervals[name].map(show).join(" … ") : "–"];
  const rows = [
    row("E, nats per token", "e", digits), row("B", "b", short), row("β", "beta", digits), row("R²", "r2", digits),
    row("data term at the end, nats per token", "data_term", digits), row("gain of twice the tokens, nats per token", "doubling_gain", digits),
    row("knee by the derivative, tokens", "knee_by_derivative", short), row("knee by the difference, tokens", "knee_by_difference", short),
  ];
  const rules = { mixed: "fitted curve and Chinchilla's constants, which mixes two fits", chinchilla: "Chinchilla's constants", per_parameter: "20 tokens a parameter" };
  if (law.optimal_tokens) for (const [rule, name] of Object.entries(rules)) rows.push([`compute-optimal tokens by ${name}`, short(law.optimal_tokens[rule]), "–"]);
  const decays = law.learning_rate_decays ? "The learning rate decays, so the loss falls faster at the end than by a law of tokens alone." : "";
  const remarks = [law.unidentified ? `${law.unidentified}.` : "", decays].filter(Boolean);
  const summary = `E = ${digits(law.e)} nats per token, B = ${short(law.b)}, β = ${digits(law.beta)}, R² ${digits(law.r2)}; the fit is drawn to four times the tokens seen.`;
  const drawn = figure("Loss, and the fit of E + B · D⁻ᵝ", summary, true, (place, readout) => {
    const measured = { run: run.number, x: run.series.loss.tokens, mean: run.series.loss.mean, thin: true, label: "loss" };
    const fitted = { run: run.number, x: law.curve.tokens, ...law.curve, label: "fit" };
    return plot(place, [measured, fitted], { xLabel: "tokens", xFormat: short, xUnit: "tokens", yFormat: (value) => fixed(value, 3), readout, logX: true });
  });
  return [drawn, table("Fit with 95 % bootstrap intervals", ["", "value", "interval"], rows), ...remarks.map((text) => element("p", "note", text))];
}

function samplesSection(runs) {
  return runs.filter((run) => run.samples).flatMap((run) => {
    const heading = element("h3", "", run.name);
    if (!run.samples.length) return [heading, none("No samples: set sample.every, or use --prompt TEXT.")];
    const blocks = run.samples.map((one) => {
      const label = one.step === undefined ? `sampled for this report, seed ${one.seed}` : `step ${whole(one.step)}`;
      const text = element("div", "text", element("span", "prompt", one.prompt), one.text);
      return element("div", "", element("p", "note", label), text);
    });
    const last = blocks.pop();
    const earlier = blocks.length ? [element("details", "", element("summary", "", `${blocks.length} earlier samples`), ...blocks)] : [];
    return [heading, last, ...earlier];
  });
}

function repeatsSection(runs) {
  return runs.filter((run) => run.samples).flatMap((run) => {
    const heading = element("h3", "", run.name);
    const found = run.repeats;
    if (!found) return [heading, none(run.samples.length ? "The shards were not read: leave out --no-data." : "No sample to look up.")];
    if (found.missing) return [heading, none(`${found.missing}.`)];
    if (!found.passages.length) return [heading, element("p", "", `No passage of ${found.at_least} bytes or more of the last sample is in the training split.`)];
    const rows = found.passages.map((one) => [element("span", "code", one.text), whole(one.bytes), whole(one.document), one.source, whole(one.row)]);
    return [heading, element("div", "text", ...marked(found.text, found.passages)), table("Longest passages of the last sample that the training split repeats", ["passage", "bytes", "document", "source", "row"], rows)];
  });
}

// The text with the passages marked.
function marked(text, passages) {
  const inside = new Uint8Array(text.length);
  for (const { text: passage } of passages) {
    const start = text.indexOf(passage);
    if (start >= 0) inside.fill(1, start, start + passage.length);
  }
  const parts = [];
  for (let start = 0; start < text.length; ) {
    let stop = start + 1;
    while (stop < text.length && inside[stop] === inside[start]) stop++;
    const piece = text.slice(start, stop);
    parts.push(inside[start] ? element("mark", "", piece) : piece);
    start = stop;
  }
  return parts;
}
