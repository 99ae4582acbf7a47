// The steps of the check, on what checker.js reads: rolls, root and tail, entries, what was opened.

const VIEWS = {
  self: ["open,own"],
  representative: ["open"],
  auditor: ["delayed"],
  somebody_else: ["open,own", "open"],
};
const OPENED = "completeness_opened";

// Step 3: each chain of this view, of each quarter, once, with a key or (a copy) without.
function requireRolls(bundle) {
  const code = "completeness_rolls";
  const isCopy = bundle.view === "somebody_else";
  const quarters = new Map();
  const keys = new Set();
  for (const roll of bundle.rolls) {
    need((roll.tag_key === null) === isCopy && (roll.end === null) === isCopy, code);
    quarters.set(roll.quarter, [...(quarters.get(roll.quarter) ?? []), roll.audience]);
    if (roll.tag_key !== null) keys.add(toKey(roll.tag_key));
  }
  const found = new Set([...quarters.values()].map((audiences) => audiences.sort().join()));
  need(found.size === 1 && VIEWS[bundle.view].includes([...found][0]), code);
  need(isCopy || keys.size === bundle.rolls.length, code);
  const hasBase = bundle.tag_root !== null || bundle.peaks.length || bundle.tail.length;
  need(!isCopy || !hasBase, code);
}

// Steps 4 and 5: the tag root stands in the log; from its size on nothing is left out.
async function buildBase(bundle, checkpoint) {
  const stated = bundle.tag_root;
  const size = stated === null ? 0 : stated.size;
  const root = stated === null ? EMPTY : stated.root;
  if (stated !== null) {
    const code = "completeness_tag_root";
    need(stated.index >= size, code);
    const leaf = await hashLeaf(join([1, 2], writeNumber(size), new Uint8Array(24), root));
    await requireInclusion(leaf, stated.index, checkpoint.size, stated.path, checkpoint.root, code);
  }
  const code = "completeness_tail";
  const length = (checkpoint.size - size) * ENTRY_LENGTH;
  need(bundle.tail.length === length && bundle.peaks.length === countPeaks(size), code);
  const tail = [];
  for (let at = 0; at < length; at += ENTRY_LENGTH) {
    tail.push(bundle.tail.subarray(at, at + ENTRY_LENGTH));
  }
  const leaves = await Promise.all(tail.map(hashLeaf));
  need(isSame(await deriveRoot(size, bundle.peaks, leaves), checkpoint.root), code);
  need(tail.every((entry) => entry[0] === 1 && entry[1] >= 1 && entry[1] <= 3), code);
  const tags = tail.filter((entry) => entry[1] === 1).map((entry) => toKey(entry.slice(2, 34)));
  const known = new Set(tags);
  need(known.size === tags.length, "tag_twice");
  return { size, root, tail, tags: known };
}

// Step 6: no entry of the whole log has the tag of the next place.
async function requireEmpty(base, tag, proof) {
  need(!base.tags.has(toKey(tag)), "completeness_end");
  need(await isAbsent(proof, tag, base.root), "completeness_end");
}

// Step 7, its first half: the entry at its index, and no other, has this tag.
async function requirePlace(base, tag, index, proof) {
  const code = "completeness_place";
  const isFound = proof.found !== null && isSame(proof.found.tag, tag);
  if (index < base.size) {
    need(!base.tags.has(toKey(tag)), "tag_twice");
    need(isFound && proof.found.index === index && await isPlace(proof, tag, base.root), code);
    return;
  }
  need(!isFound, "tag_twice");
  const entry = base.tail[index - base.size];
  need(entry !== undefined && entry[1] === 1 && isSame(entry.slice(2, 34), tag), code);
  need(await isAbsent(proof, tag, base.root), code);
}

function findOpened(core) {
  try {
    return readObject(readOnce(core), {
      v: (value) => need(value === 1, FORM),
      type: readText(/^opened$/),
      index: readNumber,
      commit: readHash,
      "at?": orNull(readMoment),
    });
  } catch {
    return null;
  }
}

function readPayload(payload) {
  try {
    const read = readOnce(payload);
    return isObject(read) ? read : null;
  } catch {
    return null;
  }
}

// What the entry commits to; it must say that in one way.
async function findCommit(entry) {
  const names = ["core", "salt", "payload", "core_hash", "payload_hash", "commit"];
  switch (names.filter((name) => entry[name] !== null).join()) {
    case "commit":
      return entry.commit;
    case "core,salt,payload":
      return deriveCommit(entry.core, await sha256(join(entry.salt, entry.payload)));
    case "core_hash,payload_hash":
      return deriveCommitOf(entry.core_hash, entry.payload_hash);
    default:
      return refuse("completeness_entry");
  }
}

// Step 8: what is told later is what the log held all the while, at the place named.
async function requireOpened(entry, checkpoint) {
  const opened = entry.core === null ? null : findOpened(entry.core);
  const told = entry.payload === null ? null : readPayload(entry.payload)?.reopened ?? null;
  if (opened === null || entry.earlier === null) {
    need(opened === null && entry.earlier === null && told === null, OPENED);
    return;
  }
  need(opened.index < entry.index, OPENED);
  const { tag, path } = entry.earlier;
  const leaf = await derivePersonLeaf(tag, opened.commit);
  await requireInclusion(leaf, opened.index, checkpoint.size, path, checkpoint.root, OPENED);
  if (entry.payload === null) return;
  need(isObject(told) && told.index === opened.index, OPENED);
  let parts;
  try {
    parts = ["salt", "core", "payload"].map((name) => decode(told[name], 0, MAX_BUNDLE_BYTES));
  } catch {
    refuse(OPENED);
  }
  const [salt, core, payload] = parts;
  const commit = await deriveCommit(core, await sha256(join(salt, payload)));
  need(isSame(commit, opened.commit), OPENED);
}

async function checkEntry(entry, tag, base, checkpoint) {
  const commit = await findCommit(entry);
  need((entry.place === null) === (base === null), "completeness_place");
  if (base !== null) await requirePlace(base, tag, entry.index, entry.place);
  const leaf = await derivePersonLeaf(tag, commit);
  const code = "completeness_entry";
  await requireInclusion(leaf, entry.index, checkpoint.size, entry.path, checkpoint.root, code);
  await requireOpened(entry, checkpoint);
}

async function checkRoll(roll, base, checkpoint) {
  roll.entries.forEach((entry, place) => {
    need(entry.n === place, "completeness_gap");
    need((entry.tag === null) === (roll.tag_key !== null), "completeness_rolls");
    const isDelayed = roll.audience === "delayed";
    need(isDelayed || !isJudged(entry), "completeness_rolls");
    need(!isDelayed || entry.core === null, "completeness_entry");
  });
  const key = roll.tag_key === null ? null : await openTagKey(roll.tag_key);
  await Promise.all(roll.entries.map(async (entry, place) => {
    const tag = key === null ? entry.tag : await deriveTag(key, place);
    await checkEntry(entry, tag, base, checkpoint);
  }));
  if (key !== null) await requireEmpty(base, await deriveTag(key, roll.entries.length), roll.end);
}

// Steps 1 to 8: what the bundle proves, or a Refused with a code. `now` is in Unix seconds.
async function checkBundle(bundle, trust, now) {
  need(bundle.origin === trust.origin, "completeness_other_log");
  const note = parseNote(bundle.checkpoint);
  const checkpoint = await verifyCheckpoint(note, trust);
  const moments = (await findMoments(note, trust, now)).sort((left, right) => right - left);
  requireRolls(bundle);
  const isCopy = bundle.view === "somebody_else";
  const base = isCopy ? null : await buildBase(bundle, checkpoint);
  for (const roll of bundle.rolls) await checkRoll(roll, base, checkpoint);
  const isEnough = trust.threshold > 0 && moments.length >= trust.threshold;
  const until = isEnough ? moments[trust.threshold - 1] : null;
  let status = until === null ? "not_witnessed" : "proved_until";
  if (until !== null && now - until <= FRESH_SECONDS + SKEW_SECONDS) status = "proved";
  const rolls = await Promise.all(bundle.rolls.map((roll) => {
    return judgeRoll(roll, bundle, checkpoint, until ?? now);
  }));
  return {
    status: isCopy ? "entries_only" : status,
    until,
    cosigned: moments.length,
    checkpoint,
    rolls,
    findings: listFindings(rolls),
    leftOut: isCopy ? [] : listLeftOut(bundle, until ?? now),
  };
}

// The stretches of quarters that a bundle leaves out up to that of `until` (Unix seconds).
function listLeftOut(bundle, until) {
  const numbers = [...new Set(bundle.rolls.map((roll) => roll.quarter))].sort().map((quarter) => {
    return 4 * Number(quarter.slice(0, 4)) + Number(quarter[5]) - 1;
  });
  const moment = new Date(until * 1000);
  const last = 4 * moment.getUTCFullYear() + Math.floor(moment.getUTCMonth() / 3);
  const spell = (number) => `${String(Math.floor(number / 4)).padStart(4, "0")}Q${(number % 4) + 1}`;
  return numbers.flatMap((number, place) => {
    const first = number + 1;
    const end = (numbers[place + 1] ?? Math.max(last, number) + 1) - 1;
    if (end < first) return [];
    return [end === first ? spell(first) : `${spell(first)}-${spell(end)}`];
  });
}

// Holds a bundle against an earlier one of the same person; both were checked before.
async function requireContinued(bundle, checkpoint, earlier, earlierCheckpoint) {
  need(checkpoint.size >= earlierCheckpoint.size, "completeness_older");
  const code = "completeness_other_roll";
  for (const before of earlier.rolls) {
    const roll = bundle.rolls.find((one) => {
      return one.audience === before.audience && one.quarter === before.quarter;
    });
    if (roll === undefined) continue;
    need(toKey(roll.tag_key ?? []) === toKey(before.tag_key ?? []), code);
    for (const [place, one] of before.entries.entries()) {
      const other = roll.entries[place];
      need(other !== undefined && other.index === one.index, code);
      need(isSame(await findCommit(other), await findCommit(one)), code);
    }
  }
}
