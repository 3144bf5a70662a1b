// Shows one page of the text at a time, so that the size of the text does not matter.

const PAGE_BYTES = 8192;
const MOST_BYTES_SHOWN = 300;
const ROWS_AT_ONCE = 200;
const COLUMNS = [
  ["id", (side, id) => id, 1],
  ["entry", (side, id) => side.entries[id], 1],
  ["bytes", (side, id) => side.entries[id].length, -1],
  ["frequency", (side, id) => side.frequencies[id] ?? 0, -1],
  ["here", (side, id) => side.uses[id], -1],
];

const data = JSON.parse(byId("data").textContent);
const text = fromBase64(data.text);
const sides = data.tokenizers.map(prepared);
const pages = Math.max(1, Math.ceil(text.length / PAGE_BYTES));
const state = { page: 0, side: 0, column: 4, upwards: -1, rows: ROWS_AT_ONCE, here: -1 };

function byId(id) {
  return document.getElementById(id);
}

function number(value) {
  return value.toLocaleString("en-US");
}

function element(tag, className, content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

function renderTotals() {
  byId("name").textContent = document.title = data.name;
  const cut = text.length < data.size ? `; the page has the first ${number(text.length)}` : "";
  byId("size").textContent = `${number(data.size)} bytes${cut}`;
  for (const side of sides) {
    const card = element("div", "card");
    const facts = element("dl", "");
    const used = side.uses.reduce((count, uses) => count + (uses > 0), 0);
    const perToken = side.tokens ? (text.length / side.tokens).toFixed(4) : "–";
    addFact(facts, "tokens", number(side.tokens));
    addFact(facts, "bytes", number(text.length));
    addFact(facts, "bytes per token", perToken);
    addFact(facts, "ids used here", `${number(used)} of ${number(side.entries.length)}`);
    if (side !== sides[0] && sides[0].tokens) {
      const more = (100 * (side.tokens / sides[0].tokens - 1)).toFixed(1);
      addFact(facts, "tokens relative to the first", `${more < 0 ? "" : "+"}${more} %`);
    }
    card.append(element("h2", "", `${side.name} · ${side.kind}`), facts);
    byId("cards").append(card);
  }
}

function addFact(list, name, value) {
  const fact = element("div", "");
  fact.append(element("dt", "", name), element("dd", "", value));
  list.append(fact);
}

function renderTexts() {
  hideTip();
  const from = state.page * PAGE_BYTES;
  byId("texts").replaceChildren(
    ...sides.map((side, place) => {
      const box = element("section", "text");
      const tokens = element("div", "tokens");
      tokens.dataset.side = place;
      const stop = partAt(side, from + PAGE_BYTES);
      const last = state.page === pages - 1 ? side.ids.length : stop;
      for (let part = partAt(side, from); part < last; part++) tokens.append(tokenElement(side, part));
      if (sides.length > 1) box.append(element("h2", "", side.name));
      if (text.length === 0) tokens.textContent = "The text is empty.";
      box.append(tokens);
      return box;
    }),
  );
  byId("page").value = state.page + 1;
  byId("previous-page").disabled = state.page === 0;
  byId("next-page").disabled = state.page === pages - 1;
  mark();
}

function tokenElement(side, part) {
  const bytes = text.subarray(startOf(side, part), side.ends[part]);
  const look = side.ids[part] === NO_TOKEN ? "left-out" : `t${part % 4}`;
  const token = element("span", `token ${look}`, abridged(bytes, "⏎\n") || "∅");
  token.dataset.part = part;
  return token;
}

function abridged(bytes, lineEnd) {
  const shown = visible(bytes.subarray(0, MOST_BYTES_SHOWN), lineEnd);
  return bytes.length > MOST_BYTES_SHOWN ? `${shown}… (${number(bytes.length)} bytes)` : shown;
}

function search(query) {
  for (const side of sides) side.matching = matchingIds(side, query);
  state.here = -1;
  state.rows = ROWS_AT_ONCE;
  mark();
  renderVocabulary();
}

// Marks the hits among the tokens on the page, and shows their number in the whole text.
function mark() {
  for (const token of document.querySelectorAll(".token")) {
    const place = +token.parentElement.dataset.side;
    token.classList.toggle("hit", isHit(sides[place], +token.dataset.part));
    token.classList.toggle("here", place === state.side && +token.dataset.part === state.here);
  }
  const side = sides[state.side];
  const count = side.uses.reduce((sum, uses, id) => sum + (side.matching?.[id] ? uses : 0), 0);
  byId("hits").textContent = side.matching === null ? "" : `${number(count)} in the text`;
  byId("previous-hit").disabled = byId("next-hit").disabled = count === 0;
}

// Goes to the next hit of the chosen tokenizer, or with step -1 to the one before; past the end, around.
function goToHit(step) {
  const side = sides[state.side];
  const size = side.ids.length;
  const beginning = partAt(side, state.page * PAGE_BYTES);
  let part = state.here >= 0 ? state.here : step > 0 ? beginning - 1 : beginning;
  for (let tried = 0; tried < size; tried++) {
    part = (part + step + size) % size;
    if (!isHit(side, part)) continue;
    state.here = part;
    state.page = Math.min(pages - 1, Math.floor(startOf(side, part) / PAGE_BYTES));
    renderTexts();
    document.querySelector(".token.here")?.scrollIntoView({ block: "center" });
    return;
  }
}

function goToPage(page) {
  state.page = Math.min(Math.max(0, page || 0), pages - 1);
  state.here = -1;
  renderTexts();
  scrollTo({ top: 0 });
}

function renderVocabulary() {
  const side = sides[state.side];
  const [, valueOf] = COLUMNS[state.column];
  const ids = [...side.entries.keys()].filter((id) => side.matching === null || side.matching[id]);
  ids.sort((one, other) => state.upwards * order(valueOf(side, one), valueOf(side, other)) || one - other);
  byId("found").textContent = `${number(Math.min(ids.length, state.rows))} shown of ${number(ids.length)} entries`;
  byId("entries").replaceChildren(...ids.slice(0, state.rows).map((id) => row(side, id)));
  byId("more").hidden = ids.length <= state.rows;
  byId("columns").childNodes.forEach((heading, column) => {
    const sorted = column === state.column ? (state.upwards > 0 ? "ascending" : "descending") : "none";
    heading.ariaSort = sorted;
    heading.firstChild.textContent = COLUMNS[column][0] + { none: "", ascending: " ↑", descending: " ↓" }[sorted];
  });
  byId("sides").hidden = sides.length < 2;
  byId("sides").childNodes.forEach((button, place) => (button.ariaPressed = place === state.side));
}

function order(one, other) {
  return one < other ? -1 : one > other ? 1 : 0;
}

function row(side, id) {
  const line = element("tr", "");
  line.dataset.id = id;
  const entry = element("td", "");
  entry.append(element("span", "", abridged(bytesOf(side.entries[id])) || "∅"));
  const trained = side.frequencies.length ? number(side.frequencies[id]) : "–";
  const cells = [side.entries[id].length, trained, number(side.uses[id])];
  line.append(element("td", "", id), entry, ...cells.map((cell) => element("td", "", cell)));
  return line;
}

function showTip(target, side, id, bytes) {
  const tip = byId("tip");
  const shown = hex(bytes.subarray(0, MOST_BYTES_SHOWN)).join(" ");
  const lines = id === NO_TOKEN ? ["no token: the tokenizer leaves this out"] : [`id ${id}`];
  lines.push(`bytes (${number(bytes.length)}): ${shown}${bytes.length > MOST_BYTES_SHOWN ? " …" : ""}`);
  if (id !== NO_TOKEN) {
    const trained = side.frequencies.length ? number(side.frequencies[id]) : "not in the file";
    lines.push(`frequency in training: ${trained}`, `uses in this text: ${number(side.uses[id])}`);
  }
  const lead = element("b", "", abridged(bytes) || "∅");
  tip.replaceChildren(lead, ...lines.map((line) => element("div", "", line)));
  tip.hidden = false;
  const box = target.getClientRects()[0];
  tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8))}px`;
  const below = box.bottom + 6;
  const fits = below + tip.offsetHeight < innerHeight;
  tip.style.top = `${fits ? below : Math.max(8, box.top - tip.offsetHeight - 6)}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

function point(event) {
  const token = event.target.closest(".token");
  const line = event.target.closest("tr[data-id]");
  if (token) {
    const side = sides[token.parentElement.dataset.side];
    const part = +token.dataset.part;
    showTip(token, side, side.ids[part], text.subarray(startOf(side, part), side.ends[part]));
  } else if (line) {
    const side = sides[state.side];
    showTip(line, side, +line.dataset.id, bytesOf(side.entries[line.dataset.id]));
  } else hideTip();
}

function choose(event) {
  const token = event.target.closest(".token");
  const line = event.target.closest("tr[data-id]");
  if (token) state.side = +token.parentElement.dataset.side;
  const id = token ? sides[state.side].ids[token.dataset.part] : line ? +line.dataset.id : NO_TOKEN;
  if (id === NO_TOKEN) return;
  byId("query").value = `#${id}`;
  search(byId("query").value);
}

function chooseSide(place) {
  state.side = place;
  state.here = -1;
  mark();
  renderVocabulary();
}

function sortBy(column) {
  state.upwards = column === state.column ? -state.upwards : COLUMNS[column][2];
  state.column = column;
  renderVocabulary();
}

function nextTheme() {
  const themes = ["auto", "light", "dark"];
  const chosen = themes[(themes.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % 3];
  document.documentElement.dataset.theme = chosen;
  byId("theme").textContent = `theme: ${chosen}`;
}

function listen() {
  byId("query").addEventListener("input", (event) => search(event.target.value));
  byId("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter") goToHit(event.shiftKey ? -1 : 1);
  });
  byId("next-hit").addEventListener("click", () => goToHit(1));
  byId("previous-hit").addEventListener("click", () => goToHit(-1));
  byId("page").addEventListener("change", (event) => goToPage(event.target.value - 1));
  byId("next-page").addEventListener("click", () => goToPage(state.page + 1));
  byId("previous-page").addEventListener("click", () => goToPage(state.page - 1));
  byId("more").addEventListener("click", () => {
    state.rows += ROWS_AT_ONCE;
    renderVocabulary();
  });
  byId("theme").addEventListener("click", nextTheme);
  document.addEventListener("mouseover", point);
  document.addEventListener("click", choose);
  document.addEventListener("scroll", hideTip, { capture: true, passive: true });
}

function start() {
  renderTotals();
  byId("pages").textContent = number(pages);
  byId("page").max = pages;
  COLUMNS.forEach(([name], column) => {
    const heading = element("th", "");
    const button = element("button", "", name);
    button.addEventListener("click", () => sortBy(column));
    heading.append(button);
    byId("columns").append(heading);
  });
  sides.forEach((side, place) => {
    const button = element("button", "", side.name);
    button.addEventListener("click", () => chooseSide(place));
    byId("sides").append(button);
  });
  listen();
  renderTexts();
  renderVocabulary();
}

start();
