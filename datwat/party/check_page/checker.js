// The check of a completeness bundle, with WebCrypto alone: no library, no network.
// Same steps, codes and strictness as datwat/protocol/completeness_checks.py (protocol.md 12).
// Hashes of one step are asked for together: one by one the browser would spend its time waiting.

class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}
const refuse = (code) => { throw new Refused(code); };
const need = (holds, code) => { if (!holds) refuse(code); };

const MAX_BUNDLE_BYTES = 32 * 1048576;
const FORM = "completeness_form";
const FRESH_SECONDS = 15 * 60;
const SKEW_SECONDS = 30;
const ENTRY_LENGTH = 66;
const EMPTY = new Uint8Array(32);
const UTF8 = new TextEncoder();

// --- bytes ---------------------------------------------------------------------------------------

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NO_DIGIT = 255;
const DIGITS = new Uint8Array(128).fill(NO_DIGIT);
[...ALPHABET].forEach((letter, value) => { DIGITS[letter.charCodeAt(0)] = value; });

// Base64url without padding, in its one spelling.
function decode(text, shortest, longest) {
  need(typeof text === "string" && text.length % 4 !== 1, FORM);
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let held = 0, bits = 0, at = 0;
  for (let place = 0; place < text.length; place += 1) {
    const digit = DIGITS[text.charCodeAt(place)] ?? NO_DIGIT;
    if (digit === NO_DIGIT) refuse(FORM);
    held = ((held << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = (held >> bits) & 255;
      at += 1;
    }
  }
  need((held & ((1 << bits) - 1)) === 0, FORM);
  need(bytes.length >= shortest && bytes.length <= longest, FORM);
  return bytes;
}

// Base64 with padding, in its one spelling, as signed notes have it; null for any other text.
function decodePadded(text) {
  if (text.length % 4 || /=[^=]|===/.test(text)) return null;
  const plain = text.replace(/=+$/, "");
  if (/[-_=]/.test(plain) || (plain.length + 3) % 4 === 0) return null;
  try {
    return decode(plain.replaceAll("+", "-").replaceAll("/", "_"), 0, 65536);
  } catch {
    return null;
  }
}

function join(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function isSame(left, right) {
  return left.length === right.length && left.every((byte, place) => byte === right[place]);
}

function toKey(bytes) {
  return String.fromCharCode(...bytes);
}

function writeNumber(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

// --- hashes --------------------------------------------------------------------------------------

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const hashLeaf = (data) => sha256(join([0], data));
const hashNode = (left, right) => sha256(join([1], left, right));
const deriveTagLeaf = (tag, index) => {
  return hashLeaf(join(UTF8.encode("dw-tagleaf/v1\0"), tag, writeNumber(index)));
};

const deriveCommitOf = (coreHash, payloadHash) => {
  return sha256(join(UTF8.encode("dw-commit/v1\0"), coreHash, payloadHash));
};
const deriveCommit = async (core, payloadHash) => deriveCommitOf(await sha256(core), payloadHash);

const derivePersonLeaf = (tag, commit) => hashLeaf(join([1, 1], tag, commit));

function openTagKey(raw) {
  return crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
}

async function deriveTag(key, number) {
  const message = join(UTF8.encode("dw-tag/v1\0"), writeNumber(number));
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

const half = (value) => Math.floor(value / 2);

// RFC 9162 section 2.1.3.2.
async function requireInclusion(leaf, index, size, path, root, code) {
  need(index < size, code);
  let current = leaf, position = index, last = size - 1;
  for (const sibling of path) {
    need(last > 0, code);
    if (position % 2 || position === last) {
      current = await hashNode(sibling, current);
      while (position && position % 2 === 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      current = await hashNode(current, sibling);
    }
    position = half(position);
    last = half(last);
  }
  need(last === 0 && isSame(current, root), code);
}

// The root over the first `size` leaves, given as peaks (largest first), and the leaves after them.
async function deriveRoot(size, peaks, leaves) {
  const left = [...peaks];
  const right = [];
  let nodes = leaves, rest = size;
  while (rest || nodes.length) {
    if (rest % 2) nodes = [left.pop(), ...nodes];
    if (nodes.length % 2) right.push(nodes[nodes.length - 1]);
    const pairs = [];
    for (let place = 0; place + 1 < nodes.length; place += 2) {
      pairs.push(hashNode(nodes[place], nodes[place + 1]));
    }
    nodes = await Promise.all(pairs);
    rest = half(rest);
  }
  let root = null;
  for (const node of right) root = root === null ? node : await hashNode(node, root);
  return root ?? sha256(new Uint8Array(0));
}

const countPeaks = (size) => [...size.toString(2)].filter((bit) => bit === "1").length;
const tagBit = (tag, depth) => (tag[depth >> 3] >> (7 - (depth & 7))) & 1;

async function isPlace(proof, tag, root) {
  const found = proof.found;
  let current = found === null ? EMPTY : await deriveTagLeaf(found.tag, found.index);
  for (let depth = proof.siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = proof.siblings[depth];
    current = await (tagBit(tag, depth) ? hashNode(sibling, current) : hashNode(current, sibling));
  }
  return isSame(current, root);
}

async function isAbsent(proof, tag, root) {
  const found = proof.found;
  if (found !== null) {
    if (isSame(found.tag, tag)) return false;
    for (let depth = 0; depth < proof.siblings.length; depth += 1) {
      if (tagBit(found.tag, depth) !== tagBit(tag, depth)) return false;
    }
  }
  return isPlace(proof, tag, root);
}

// --- signed notes --------------------------------------------------------------------------------

const MALFORMED = "checkpoint_malformed";
const FORGED = "checkpoint_signature_invalid";

// A verifier key of the trust list, which whoever made this page has checked.
async function readVerifierKey(text) {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text);
  const material = decodePadded(encoded);
  const raw = material.slice(1);
  const key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  return { name, id, type: material[0], key };
}

const toHex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function parseNote(note) {
  need(UTF8.encode(note).length <= 65536 && !/[\x00-\x09\x0b-\x1f]/.test(note), MALFORMED);
  const at = note.lastIndexOf("\n\n");
  need(at > 0 && note.endsWith("\n"), MALFORMED);
  const rows = note.slice(at + 2, -1).split("\n");
  need(rows.length <= 64, MALFORMED);
  const lines = rows.map((row) => {
    const parts = row.split(" ");
    const bytes = parts.length === 3 && parts[0] === "\u2014" ? decodePadded(parts[2]) : null;
    need(bytes !== null && bytes.length >= 4 && /^[^\s+]{1,250}$/.test(parts[1]), MALFORMED);
    return { name: parts[1], id: toHex(bytes.slice(0, 4)), signature: bytes.slice(4) };
  });
  return { text: note.slice(0, at + 1), lines };
}

async function requireSignature(key, signature, message) {
  need(signature.length === 64, FORGED);
  need(await crypto.subtle.verify("Ed25519", key.key, signature, UTF8.encode(message)), FORGED);
}

const linesOf = (note, key) => {
  return note.lines.filter((line) => line.name === key.name && line.id === key.id);
};

// Step 2: the log's own signature; a line of a known key that does not verify spoils all.
async function verifyCheckpoint(note, trust) {
  let isSigned = false;
  for (const key of await Promise.all(trust.vkeys.map(readVerifierKey))) {
    for (const line of key.type === 1 ? linesOf(note, key) : []) {
      await requireSignature(key, line.signature, note.text);
      isSigned = true;
    }
  }
  need(isSigned, "checkpoint_unsigned");
  const lines = note.text.split("\n");
  need(lines.length >= 4 && lines.slice(0, -1).every((line) => line !== ""), MALFORMED);
  const [origin, size, encoded] = lines;
  const root = decodePadded(encoded);
  need(/^(0|[1-9][0-9]{0,15})$/.test(size) && root !== null && root.length === 32, MALFORMED);
  need(Number.isSafeInteger(Number(size)), MALFORMED);
  need(origin === trust.origin, "checkpoint_origin");
  return { size: Number(size), root };
}

// The newest moment (Unix seconds) at which each known witness vouched; none from the future.
async function findMoments(note, trust, now) {
  const moments = [];
  for (const key of await Promise.all(trust.witnesses.map(readVerifierKey))) {
    let newest = null;
    for (const line of key.type === 4 ? linesOf(note, key) : []) {
      need(line.signature.length === 72, FORGED);
      const stamp = new DataView(line.signature.buffer, line.signature.byteOffset).getBigUint64(0);
      need(stamp < 2n ** 63n, FORGED);
      const cosigned = `cosignature/v1\ntime ${stamp}\n${note.text}`;
      await requireSignature(key, line.signature.slice(8), cosigned);
      newest = newest === null || Number(stamp) > newest ? Number(stamp) : newest;
    }
    if (newest !== null && newest <= now + SKEW_SECONDS) moments.push(newest);
  }
  return moments;
}
