// The form of a bundle: exactly these members, each of its kind; anything else is no bundle.
// Same strictness as datwat/protocol/completeness.py.

const isObject = (value) => {
  return typeof value === "object" && value !== null && !Array.isArray(value);
};

// Reads an object with exactly these members; one whose name ends in "?" may be absent (null).
function readObject(value, members) {
  need(isObject(value), FORM);
  const read = {};
  let known = 0;
  for (const [spelled, reader] of Object.entries(members)) {
    const name = spelled.replace("?", "");
    const isThere = Object.hasOwn(value, name);
    need(isThere || spelled.endsWith("?"), FORM);
    known += isThere ? 1 : 0;
    read[name] = isThere ? reader(value[name]) : null;
  }
  need(known === Object.keys(value).length, FORM);
  return read;
}

const orNull = (reader) => (value) => (value === null ? null : reader(value));
const readBytes = (shortest, longest) => (value) => decode(value, shortest, longest);
const readHash = readBytes(32, 32);
const readPart = readBytes(0, 65536);
const readNumber = (value) => {
  need(Number.isSafeInteger(value) && value >= 0, FORM);
  return value;
};
const readText = (pattern) => (value) => {
  need(typeof value === "string" && pattern.test(value), FORM);
  return value;
};
const readList = (reader, longest) => (value) => {
  need(Array.isArray(value) && value.length <= longest, FORM);
  return value.map(reader);
};
const readPath = readList(readHash, 64);

const readTagProof = (value) => readObject(value, {
  siblings: readList(readHash, 256),
  found: orNull((found) => readObject(found, { tag: readHash, index: readNumber })),
});
const readStated = (value) => readObject(value, {
  index: readNumber, tag: readHash, core: readPart, payload_hash: readHash, path: readPath,
});
const readTerms = (value) => (value === null ? refuse(FORM) : readList(readStated, 1000)(value));
const readEntry = (value) => readObject(value, {
  n: readNumber,
  index: readNumber,
  "core?": orNull(readPart),
  "salt?": orNull(readHash),
  "payload?": orNull(readPart),
  "core_hash?": orNull(readHash),
  "payload_hash?": orNull(readHash),
  "commit?": orNull(readHash),
  path: readPath,
  "place?": orNull(readTagProof),
  "tag?": orNull(readHash),
  "earlier?": orNull((earlier) => readObject(earlier, { tag: readHash, path: readPath })),
  "terms?": readTerms,
  "opening?": orNull(readStated),
  "ended?": orNull(readStated),
});
const readRoll = (value) => readObject(value, {
  audience: readText(/^(open|own|delayed)$/),
  quarter: readText(/^[0-9]{4}Q[1-4]$/),
  tag_key: orNull(readHash),
  entries: readList(readEntry, 100000),
  end: orNull(readTagProof),
});

const MOST_LEVELS = 32;

// Returns where the text that begins at a quote ends: at the next quote that is not escaped.
function findEndOfText(text, start) {
  let end = start;
  for (;;) {
    end = text.indexOf('"', end + 1);
    let slashes = 0;
    while (text[end - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return end;
  }
}

// Refuses JSON that two readers could understand differently: an object that names a member twice,
// a number with a fraction or an exponent or too large to be exact, half a character, and what lies
// too deep. The text is JSON already. The same as `decode_strict` in datwat/protocol/canonical.py.
function requireOneReading(text) {
  const number = /-?[0-9]+/y;
  const open = [];
  for (let at = 0; at < text.length; at += 1) {
    const mark = text[at];
    if (mark === "{" || mark === "[") {
      open.push(mark === "{" ? new Set() : null);
      need(open.length <= MOST_LEVELS, FORM);
    } else if (mark === "-" || (mark >= "0" && mark <= "9")) {
      number.lastIndex = at;
      const [digits] = number.exec(text);
      need(Number.isSafeInteger(Number(digits)), FORM);
      at += digits.length - 1;
    } else if (mark === "}" || mark === "]") open.pop();
    else if (mark === "." || mark === "E" || (mark === "e" && /[0-9]/.test(text[at - 1]))) refuse(FORM);
    else if (mark === '"') {
      const end = findEndOfText(text, at);
      const part = text.slice(at, end + 1);
      need(!part.includes("\\u") || JSON.parse(part).isWellFormed(), FORM);
      let next = end + 1;
      while (/\s/.test(text[next] ?? "")) next += 1;
      if (text[next] === ":") {
        const name = JSON.parse(part);
        const names = open[open.length - 1];
        need(!names.has(name), FORM);
        names.add(name);
      }
      at = end;
    }
  }
}

// The value of JSON bytes that have one reading; throws for any other.
function readOnce(bytes) {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const value = JSON.parse(text);
  requireOneReading(text);
  return value;
}

function readBundle(data) {
  need(data.byteLength <= MAX_BUNDLE_BYTES, "completeness_too_large");
  let document_;
  try {
    document_ = readOnce(data);
  } catch {
    refuse(FORM);
  }
  const bundle = readObject(document_, {
    v: (value) => need(value === 1, FORM),
    type: readText(/^completeness$/),
    view: readText(/^(self|representative|auditor|somebody_else)$/),
    origin: readText(/^[^]{0,250}$/),
    checkpoint: readText(/^[^]{0,65536}$/),
    tag_root: orNull((root) => readObject(root, {
      index: readNumber, size: readNumber, root: readHash, path: readPath,
    })),
    peaks: readPath,
    tail: readBytes(0, 16777216),
    rolls: readList(readRoll, 80),
  });
  need(bundle.rolls.length > 0 && (bundle.tag_root === null || bundle.tag_root.size > 0), FORM);
  return bundle;
}
