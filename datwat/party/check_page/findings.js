// What is found in the rolls of a bundle that holds: what waits too long, and what nobody was told.
// The same as datwat/protocol/completeness_delayed.py and completeness_ended.py.

const OPENED_WITHIN_SECONDS = 24 * 60 * 60;
const STATES = [
  "in_time", "late", "opened_undated", "not_due", "overdue", "waiting_undated", "ended", "unjudged",
];

const isErased = (entry) => entry.commit !== null;
const isJudged = (entry) => {
  return (entry.terms ?? []).length > 0 || entry.opening !== null || entry.ended !== null;
};

// A moment as the log writes it, in Unix seconds.
function readMoment(value) {
  need(typeof value === "string" && /^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z$/.test(value), FORM);
  const moment = new Date(value);
  need(!Number.isNaN(moment.getTime()) && !value.startsWith("0000"), FORM);
  need(moment.toISOString() === `${value.slice(0, -1)}.000Z`, FORM);
  return moment.getTime() / 1000;
}

// The term that a declaration or a renewal states; other members of its core are of no interest.
function findTerm(core) {
  try {
    const read = readOnce(core);
    need(isObject(read) && (read.type === "act" || read.type === "renewed"), FORM);
    return readObject(read.term, {
      at: readMoment, until_at: readMoment, opening: readText(/^(automatic|by_person)$/),
    });
  } catch {
    return null;
  }
}

// Which contents ended, as a notice states.
function findEnded(core) {
  try {
    return readObject(readOnce(core), {
      v: (value) => need(value === 1, FORM),
      type: readText(/^ended$/),
      "places?": readList((places) => readObject(places, {
        quarter: readText(/^[0-9]{4}Q[1-4]$/), first: readNumber, last: readNumber,
      }), 1000),
      "entries?": readList(readNumber, 1000),
    });
  } catch {
    return null;
  }
}

async function requireStated(stated, checkpoint, code) {
  const commit = await deriveCommit(stated.core, stated.payload_hash);
  const leaf = await derivePersonLeaf(stated.tag, commit);
  await requireInclusion(leaf, stated.index, checkpoint.size, stated.path, checkpoint.root, code);
}

// Step 9: each states a term; the first no later than the entry, the last before its opening.
async function readTermsOf(entry, checkpoint) {
  const code = "completeness_term";
  const found = [];
  let last = -1;
  for (const stated of entry.terms ?? []) {
    const term = findTerm(stated.core);
    need(term !== null && stated.index > last, code);
    await requireStated(stated, checkpoint, code);
    last = stated.index;
    found.push(term);
  }
  need(!found.length || entry.terms[0].index <= entry.index, code);
  need(entry.opening === null || last < entry.opening.index, code);
  return found;
}

// Step 10: what opened the entry was written after it, and names its index and commit.
async function readOpeningOf(entry, checkpoint) {
  const { opening } = entry;
  if (opening === null) return null;
  const code = "completeness_opening";
  const opened = findOpened(opening.core);
  need(opened !== null && opened.index === entry.index && opening.index > entry.index, code);
  need(isSame(opened.commit, await findCommit(entry)), code);
  await requireStated(opening, checkpoint, code);
  return opened;
}

// Step 11: what tells that the contents ended was written after the entry, and names it.
async function requireEnded(entry, checkpoint) {
  const told = entry.ended;
  if (told === null) return;
  const code = "completeness_ended";
  const named = (findEnded(told.core)?.entries ?? []).includes(entry.index);
  need(named && told.index > entry.index && isErased(entry), code);
  await requireStated(told, checkpoint, code);
}

function judge(entry, terms, opened, moment) {
  const isBefore = (one, term) => one <= term.until_at + OPENED_WITHIN_SECONDS;
  const newest = terms[terms.length - 1];
  const isMoved = terms.slice(1).every((term, place) => isBefore(term.at, terms[place]));
  if (opened !== null) {
    if (!terms.length || opened.at === null) return "opened_undated";
    return isMoved && isBefore(opened.at, newest) ? "in_time" : "late";
  }
  if (isErased(entry)) return entry.ended === null ? "unjudged" : "ended";
  if (!terms.length) return "waiting_undated";
  // Moved when it was over already: it should have been open, whatever is stated since.
  return isMoved && isBefore(moment, newest) ? "not_due" : "overdue";
}

async function countDelayed(entries, checkpoint, moment) {
  const counts = Object.fromEntries([...STATES, "by_person"].map((name) => [name, 0]));
  const found = [];
  for (const entry of entries) {
    const terms = await readTermsOf(entry, checkpoint);
    const opened = await readOpeningOf(entry, checkpoint);
    await requireEnded(entry, checkpoint);
    const state = judge(entry, terms, opened, moment);
    const newest = terms[terms.length - 1] ?? null;
    counts[state] += 1;
    const waits = state === "not_due" || state === "overdue";
    counts.by_person += waits && newest.opening === "by_person" ? 1 : 0;
    found.push({ state, until: newest?.until_at ?? null, at: opened?.at ?? null });
  }
  return { counts, found };
}

// Step 12: the places that are without contents, and no notice of the same chain says so.
function listUnannounced(roll, rolls) {
  const gone = roll.entries.filter(isErased);
  if (!gone.length) return [];
  const notices = rolls.filter((one) => one.audience === roll.audience).flatMap((one) => {
    return one.entries.map((entry) => ({ index: entry.index, places: listNamed(entry, roll.quarter) }));
  }).filter((notice) => notice.places.length);
  const latest = findLatest(roll.entries.length, notices);
  return gone.filter((entry) => latest[entry.n] <= entry.index).map((entry) => entry.n);
}

// For each place the index of the last notice that names it, -1 where none does. Each is written
// once, however often it is named: no bundle holds up its reader.
function findLatest(count, notices) {
  const latest = new Array(count).fill(-1);
  const following = Array.from({ length: count + 1 }, (_, place) => place);
  const find = (start) => {
    let place = start;
    while (following[place] !== place) {
      following[place] = following[following[place]];
      place = following[place];
    }
    return place;
  };
  for (const { index, places } of notices.sort((left, right) => right.index - left.index)) {
    for (const one of places) {
      let place = find(Math.min(one.first, count));
      while (place < count && place <= one.last) {
        latest[place] = index;
        following[place] = place + 1;
        place = find(place);
      }
    }
  }
  return latest;
}

function listNamed(entry, quarter) {
  const ended = entry.core === null ? null : findEnded(entry.core);
  if (ended === null || entry.payload === null) return [];
  const event = readPayload(entry.payload)?.event;
  if (event !== "erased" && event !== "lost") return [];
  return (ended.places ?? []).filter((places) => places.quarter === quarter);
}

// Steps 9 to 12 for one roll.
async function judgeRoll(roll, bundle, checkpoint, moment) {
  const isDelayed = roll.audience === "delayed";
  const untold = isDelayed ? [] : listUnannounced(roll, bundle.rolls);
  const delayed = isDelayed ? await countDelayed(roll.entries, checkpoint, moment) : null;
  return {
    audience: roll.audience,
    quarter: roll.quarter,
    entries: roll.entries.length,
    erased: roll.entries.filter(isErased).length,
    unannounced: untold.length,
    untold: new Set(untold),
    delayed: delayed?.counts ?? null,
    states: delayed?.found ?? null,
  };
}

// What else was found in the rolls, gravest first, that somebody should look at.
function listFindings(rolls) {
  const counts = rolls.map((roll) => roll.delayed).filter((one) => one !== null);
  const found = {
    overdue: counts.some((one) => one.overdue),
    late: counts.some((one) => one.late),
    unjudged: counts.some((one) => one.unjudged),
    undated: counts.some((one) => one.waiting_undated || one.opened_undated),
    unannounced: rolls.some((roll) => roll.unannounced),
  };
  return Object.keys(found).filter((name) => found[name]);
}
