// Sends questions and shows answers while they are sampled; all of it is inserted as text, not HTML.

const data = JSON.parse(byId("data").textContent);
const themes = ["auto", "light", "dark"];
let answering = false;
// The conversation: the server keeps none. `turns` are ids, as the last answer gave them.
let system = data.system;
let said = { turns: [], replies: 0 };
const gone =
  "spike does not answer; if it was stopped, start it again and open its new address (this conversation can still be copied)";

function byId(id) {
  return document.getElementById(id);
}

function element(tag, className, content = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = content;
  return made;
}

function add(made) {
  const talk = byId("talk");
  // A reader who has scrolled up stays there.
  const follows = talk.scrollTop + talk.clientHeight > talk.scrollHeight - 40;
  talk.append(made);
  if (follows) talk.scrollTop = talk.scrollHeight;
  return made;
}

function remark(content, trouble = false) {
  return add(element("div", trouble ? "remark trouble" : "remark", content));
}

function post(path, content) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ page: data.page, ...content }),
  });
}

function beginPart(bubble, kind) {
  if (kind !== "think") {
    const part = element("span", kind);
    bubble.append(part);
    return part;
  }
  const block = element("details", "think");
  const part = element("div", "");
  block.open = true;
  block.append(element("summary", "", "thinking"), part);
  bubble.append(block);
  return part;
}

function fold(bubble) {
  for (const block of bubble.querySelectorAll(".think")) block.open = false;
}

async function show(response, bubble) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let kind = null;
  let part = null;
  let waiting = null;
  let whole = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      if (!whole) throw new Error("no end");
      return fold(bubble);
    }
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const update = JSON.parse(line);
      if (update.ahead) {
        waiting ??= remark("");
        waiting.textContent = `waiting for other pages: ${update.ahead} before this one`;
        continue;
      }
      waiting?.remove();
      if (update.said) {
        said = update.said;
        whole = true;
      }
      if (update.remark) remark(update.remark);
      if (update.kind === undefined) continue;
      if (update.kind !== kind || !update.text) {
        if (kind === "think") fold(bubble);
        kind = update.kind;
        part = beginPart(bubble, kind);
      }
      // Models write line breaks around their blocks, which have lines of their own already.
      const shown = part.textContent ? update.text : update.text.replace(/^\n+/, "");
      const talk = byId("talk");
      const follows = talk.scrollTop + talk.clientHeight > talk.scrollHeight - 40;
      part.append(shown);
      if (follows) talk.scrollTop = talk.scrollHeight;
    }
  }
}

function setAnswering(now) {
  answering = now;
  byId("send").hidden = now;
  byId("stop").hidden = !now;
  byId("reset").disabled = now;
}

async function ask(event) {
  event.preventDefault();
  const question = byId("question").value;
  if (answering || !question.trim()) return;
  setAnswering(true);
  byId("question").value = "";
  add(element("div", "said user", question));
  let begun = false;
  try {
    const response = await post("ask", { question, system, ...said });
    begun = response.ok;
    if (begun) {
      await show(response, add(element("div", "said assistant")));
    } else {
      remark(await response.text(), true);
    }
  } catch {
    remark(begun ? "the answer was interrupted; send the question again (this attempt is not part of the conversation)" : gone, true);
    begun = false;
  }
  // A question without an answer need not be typed again.
  if (!begun) byId("question").value ||= question;
  setAnswering(false);
  byId("question").focus();
}

async function reset() {
  try {
    const wanted = byId("system").value;
    const response = await post("begin", { system: wanted });
    if (!response.ok) return remark(await response.text(), true);
    system = wanted;
    said = { turns: [], replies: 0 };
    byId("talk").replaceChildren();
  } catch {
    remark(gone, true);
  }
}

byId("name").textContent = document.title = data.name;
byId("system").value = data.system;
byId("asking").addEventListener("submit", ask);
byId("reset").addEventListener("click", reset);
byId("stop").addEventListener("click", () => post("stop", {}).catch(() => remark(gone, true)));
byId("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) ask(event);
});
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const next = themes[(themes.indexOf(root.dataset.theme ?? "auto") + 1) % 3];
  if (next === "auto") delete root.dataset.theme;
  else root.dataset.theme = next;
  byId("theme").textContent = `theme: ${next}`;
});
