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
  return element("span", "code", text ? `${text.slice(0, 16)}…` : "–");
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
    const rows = pair.items.map((row) => [row.task, whole(row.items), ...row.scores.map((score) => fixed(score)), signed(row.difference), ...intervalOf(row, 4), fixed(row.p_value, 4)]);
    made.push(table("Tasks, the same items", ["task", "items", ...pair.runs, "difference", "95 % interval", "", "McNemar p"], rows));
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
  const rows = names.map((name) => [name, ...known.flatMap((run) => taskCells(run.tasks.find((row) => `${row.task} · ${row.metric}` === name)))]);
  const headings = known.flatMap((run) => [run.name, "items", "seen in training"]);
  const missing = runs.filter((run) => !run.tasks?.length).map((run) => none(`${run.name}: no task scores.`));
  return [table("Main metric of each task with its binomial standard error", ["task", ...headings], rows), ...missing];
}

function taskCells(row) {
  if (!row) return ["–", "–", "–"];
  const value = row[row.metric];
  const error = row[`${row.metric}_error`];
  const seen = row.overlap ? `${whole(row.overlap.byte_windows_seen)} of ${whole(row.overlap.byte_windows)} windows` : "not known";
  return [error === undefined ? fixed(value) : `${fixed(value)} ± ${fixed(error)}`, whole(row.items), seen];
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
  const missing = runs.filter((run) => run.size && !run.artifact).map((run) => none(`${run.name}: no packed model of this step: spike pack ${run.folder ?? run.run}, or --artifact FILE.`));
  return [...made, ...missing];
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
