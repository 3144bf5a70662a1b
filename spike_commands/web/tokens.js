// The text, its tokenizers, and queries on them, without any layout.
"use strict";

const NO_TOKEN = -1;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;
const ESCAPES = /(\\[nt\\]|\\x[0-9a-fA-F]{2})/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function fromBase64(packed) {
  return bytesOf(atob(packed));
}

function prepared(tokenizer) {
  const ids = new Int32Array(fromBase64(tokenizer.ids).buffer);
  const ends = new Int32Array(fromBase64(tokenizer.ends).buffer);
  const uses = new Uint32Array(tokenizer.entries.length);
  for (const id of ids) if (id !== NO_TOKEN) uses[id]++;
  return { ...tokenizer, ids, ends, uses, matching: null };
}

// Not Uint8Array.from, which takes a second for a few megabytes.
function bytesOf(letters) {
  const bytes = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place++) bytes[place] = letters.charCodeAt(place);
  return bytes;
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
}

// The same rules as visible.py.
function visible(bytes, lineEnd = "⏎") {
  let shown = "";
  for (let place = 0; place < bytes.length; ) {
    const first = bytes[place];
    const width = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    try {
      shown += shape(utf8.decode(bytes.subarray(place, place + width)), lineEnd);
      place += width;
    } catch {
      shown += `⟨${hex([first])}⟩`;
      place += 1;
    }
  }
  return shown;
}

function shape(letter, lineEnd) {
  const code = letter.codePointAt(0);
  if (letter === " ") return letter;
  if (letter === "\n") return lineEnd;
  if (letter === "\t") return "⇥";
  if (HIDDEN.test(letter)) return `⟨U+${code.toString(16).toUpperCase().padStart(2, "0")}⟩`;
  return letter;
}

function startOf(side, part) {
  return part === 0 ? 0 : side.ends[part - 1];
}

// The first part that begins at a byte or after it.
function partAt(side, byte) {
  let low = 0;
  let high = side.ids.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (startOf(side, middle) < byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isHit(side, part) {
  return side.ids[part] !== NO_TOKEN && side.matching !== null && side.matching[side.ids[part]];
}

// The bytes that a query means, one letter a byte, as entries are written.
function queryBytes(query) {
  let bytes = "";
  // A split by a group yields text and escapes in turn.
  query.split(ESCAPES).forEach((part, turn) => {
    if (turn % 2 === 0) for (const byte of new TextEncoder().encode(part)) bytes += String.fromCharCode(byte);
    else if (part[1] === "x") bytes += String.fromCharCode(parseInt(part.slice(2), 16));
    else bytes += { n: "\n", t: "\t", "\\": "\\" }[part[1]];
  });
  return bytes;
}

// For each id whether a query means it: `#id`, or bytes that the entry has in it. Null for no query.
function matchingIds(side, query) {
  if (query === "") return null;
  if (/^#\d+$/.test(query)) return side.entries.map((_, id) => id === +query.slice(1));
  const bytes = queryBytes(query);
  return side.entries.map((entry) => entry.includes(bytes));
}
