// Tables: cells are text, nodes, or numbers as text of the class n.
"use strict";

const NUMBER = /^[-−+]?[\d.,]+( ?[kMGTP%]| [smh]| min| bytes)?( ± [\d.]+)?$|^–$/;

function table(caption, headings, rows) {
  const made = element("table");
  if (caption) made.append(element("caption", "", caption));
  const numeric = headings.map((_, column) =>
    rows.every((row) => typeof row[column] === "string" && NUMBER.test(row[column])),
  );
  const top = element("tr");
  headings.forEach((heading, column) => top.append(headed(heading, "col", numeric[column])));
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    row.forEach((cell, column) => {
      if (column === 0) line.append(headed(cell, "row", numeric[0]));
      else line.append(element("td", numeric[column] ? "n" : "", cell));
    });
    body.append(line);
  }
  made.append(element("thead", "", top), body);
  const scrolling = element("div", "scroll", made);
  scrolling.tabIndex = 0;
  scrolling.role = "region";
  scrolling.ariaLabel = caption || headings.join(", ");
  return scrolling;
}

function headed(content, scope, isNumber) {
  const cell = element("th", isNumber ? "n" : "", content);
  cell.scope = scope;
  return cell;
}

function bar(share) {
  const full = element("span");
  full.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  const made = element("span", "bar", full);
  made.ariaHidden = "true";
  return made;
}

// Interval and verdict of a paired difference.
function intervalOf(found, digits) {
  if (found.interval === null) return ["–", "one item has no interval"];
  const [low, high] = found.interval;
  const verdict = found.distinguishable ? "" : "cannot be told apart";
  return [`${signed(low, digits)} … ${signed(high, digits)}`, verdict];
}
