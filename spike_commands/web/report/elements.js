// Elements of the page; text of runs becomes text nodes only.
"use strict";

const THEMES = ["auto", "light", "dark"];

function byId(id) {
  return document.getElementById(id);
}

function element(tag, className = "", ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.map((part) => (part instanceof Node ? part : String(part))));
  return made;
}

function button(label, action) {
  const made = element("button", "", label);
  made.type = "button";
  made.addEventListener("click", action);
  return made;
}

function none(text) {
  return element("p", "none", text);
}

function fixed(value, digits = 4) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

function signed(value, digits = 4) {
  return (value > 0 ? "+" : value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);
}

function whole(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

// A number with three digits and k, M, G, T, …
function short(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 1e-5) return value.toExponential(1).replace("-", "−");
  if (size < 1000) return String(+value.toPrecision(4));
  if (size >= 1e18) return value.toExponential(2).replace("e+", "e");
  const power = Math.min(5, Math.floor(Math.log10(size) / 3));
  return `${+(value / 1000 ** power).toPrecision(3)}${["", "k", "M", "G", "T", "P"][power]}`;
}

function lasted(seconds) {
  if (seconds < 60) return `${+seconds.toPrecision(3)} s`;
  if (seconds < 3600) return `${+(seconds / 60).toPrecision(3)} min`;
  return `${+(seconds / 3600).toPrecision(3)} h`;
}

function cssValue(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function nextTheme() {
  const root = document.documentElement;
  root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
  byId("theme").textContent = `theme: ${root.dataset.theme}`;
}
