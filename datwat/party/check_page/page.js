// What the reader sees: choose a file, read in plain words what it proves and what it does not.

const trust = JSON.parse(document.getElementById("trust").textContent);
const texts = JSON.parse(document.getElementById("texts").textContent);
const result = document.getElementById("result");
const KINDS = { proved: "good", proved_until: "part", not_witnessed: "part", entries_only: "part" };
let language = "nl";
let shown = null;

const text = (name) => texts[language][name];

function element(name, content, members = {}) {
  const made = Object.assign(document.createElement(name), members);
  if (content instanceof Array) made.append(...content);
  else made.textContent = content;
  return made;
}

function formatMoment(moment) {
  const form = { dateStyle: "long", timeStyle: "short" };
  return new Intl.DateTimeFormat(language === "nl" ? "nl-NL" : "en-GB", form).format(moment);
}

function buildRow(name, cells) {
  return element("tr", cells.map((cell, place) => {
    return element(name, String(cell), place > 1 ? { className: "number" } : {});
  }));
}

function buildTable(head, rows) {
  const row = buildRow("th", head);
  row.querySelectorAll("th").forEach((cell) => { cell.scope = "col"; });
  return element("table", [
    element("thead", [row]), element("tbody", rows.map((cells) => buildRow("td", cells))),
  ]);
}

function buildRolls(rolls) {
  const names = ["chain", "quarter", "count", "erased"];
  const hasUntold = rolls.some((roll) => roll.unannounced);
  return buildTable([...names, ...(hasUntold ? ["unannounced"] : [])].map(text), rolls.map((roll) => {
    const cells = [text("chains")[roll.audience], roll.quarter, roll.entries, roll.erased];
    return hasUntold ? [...cells, roll.unannounced] : cells;
  }));
}

// For the auditor: of each quarter how many entries were found to be what.
function buildDelayed(rolls) {
  const table = buildTable(["quarter", "found", "number"].map(text), rolls.flatMap((roll) => {
    const states = STATES.filter((state) => roll.delayed[state]);
    const found = states.map((state) => [roll.quarter, text("states")[state], roll.delayed[state]]);
    return [[roll.quarter, text("count"), roll.entries], ...found];
  }));
  const byPerson = rolls.reduce((total, roll) => total + roll.delayed.by_person, 0);
  return byPerson ? [table, element("p", `${text("by_person")}: ${byPerson}.`)] : [table];
}

function buildFindings(findings) {
  const items = findings.map((finding) => element("li", text("findings")[finding]));
  return items.length ? [element("h3", text("look")), element("ul", items)] : [];
}

// One delayed entry in one line: what it is found to be, its place in the log, and its moments.
function describeDelayed(entry, { state, until, at }) {
  const parts = [`${text("states")[state]} (#${entry.index})`];
  if (until !== null) parts.push(`${text("due")} ${formatMoment(new Date(until * 1000))}`);
  if (at !== null) parts.push(`${text("opened_at")} ${formatMoment(new Date(at * 1000))}`);
  return parts.join(" \u00b7 ");
}

// What an entry that was told later repeats of the one that waited.
function findTold(payload) {
  try {
    return payload.reopened ? readPayload(decode(payload.reopened.payload, 0, 65536)) : null;
  } catch {
    return null;
  }
}

// One entry in one line: when, by whom, what. Whatever stands in it is shown as text only.
function describeEntry(entry, isUntold) {
  if (isErased(entry)) return text(isUntold ? "entry_untold" : "entry_erased");
  const payload = readPayload(entry.payload);
  if (payload === null) return `${entry.index}`;
  const told = findTold(payload) ?? payload;
  const at = new Date(told.at);
  const event = String(told.event ?? "").slice(0, 64);
  return [
    Number.isNaN(at.getTime()) ? "" : formatMoment(at),
    String(told.requester?.name ?? "").slice(0, 200),
    Object.hasOwn(text("events"), event) ? text("events")[event] : event,
    payload.reopened ? text("entry_later") : "",
  ].filter((part) => part !== "").join(" \u00b7 ");
}

function buildEntries(bundle, rolls) {
  const items = bundle.rolls.flatMap((roll, number) => roll.entries.map((entry) => {
    const place = `${text("chains")[roll.audience]}, ${roll.quarter}, ${entry.n + 1}: `;
    const { states, untold } = rolls[number];
    if (states !== null) return element("li", place + describeDelayed(entry, states[entry.n]));
    return element("li", place + describeEntry(entry, untold.has(entry.n)));
  }));
  return items.length ? [element("h3", text("list")), element("ul", items)] : [];
}

function buildLimits(view) {
  const limits = text("limits")[view].map((limit) => element("li", limit));
  return [element("h3", text("not_proved")), element("ul", limits)];
}

function buildVerdict({ bundle, verdict }) {
  const explained = [text("explain")[verdict.status][bundle.view]];
  if (verdict.until !== null && verdict.status !== "entries_only") {
    explained.push(formatMoment(new Date(verdict.until * 1000)));
  }
  return [
    element("h2", `${text("status")[verdict.status]}${verdict.findings.length ? `. ${text("mind")}` : ""}`),
    element("p", explained.join(" ")),
    ...buildFindings(verdict.findings),
    element("p", text("views")[bundle.view]),
    element("p", `${text("cosigned")}: ${verdict.cosigned} (${text("needed")}: ${trust.threshold}).`),
    element("p", `${text("entries_in_log")}: ${verdict.checkpoint.size}.`),
    element("h3", text("rolls")),
    ...(bundle.view === "auditor" ? buildDelayed(verdict.rolls) : [buildRolls(verdict.rolls)]),
    ...verdict.leftOut.slice(0, 1).map(() => {
      return element("p", `${text("left_out")}: ${verdict.leftOut.join(", ")}.`);
    }),
    ...buildLimits(bundle.view),
    ...buildEntries(bundle, verdict.rolls),
  ];
}

function buildRefusal(code) {
  const why = text("codes")[code] ?? text("codes").completeness_refused;
  return [
    element("h2", text("refused")),
    element("p", `${why} (${code})`),
    element("p", text("refused_what")),
  ];
}

function show() {
  document.documentElement.lang = language;
  document.title = text("title");
  for (const one of document.querySelectorAll("[data-text]")) {
    one.textContent = text(one.dataset.text);
  }
  for (const one of document.querySelectorAll("[data-language]")) {
    one.setAttribute("aria-pressed", String(one.dataset.language === language));
  }
  if (shown === null) return;
  if (shown.message) result.replaceChildren(element("p", text(shown.message)));
  else result.replaceChildren(...(shown.code ? buildRefusal(shown.code) : buildVerdict(shown)));
}

function state(found, outcome, kind) {
  shown = found;
  result.dataset.kind = kind;
  result.dataset.outcome = outcome;
  show();
}

async function readFile(input) {
  const file = input.files[0];
  if (file === undefined) return null;
  need(file.size <= MAX_BUNDLE_BYTES, "completeness_too_large");
  return readBundle(await file.arrayBuffer());
}

async function check() {
  const now = Math.floor(Date.now() / 1000);
  const bundle = await readFile(document.getElementById("bundle"));
  if (bundle === null) return state({ message: "no_file" }, "no_file", "part");
  const verdict = await checkBundle(bundle, trust, now);
  const earlier = await readFile(document.getElementById("earlier"));
  if (earlier !== null) {
    const { checkpoint } = await checkBundle(earlier, trust, now);
    await requireContinued(bundle, verdict.checkpoint, earlier, checkpoint);
  }
  const kind = verdict.findings.length ? "part" : KINDS[verdict.status];
  return state({ bundle, verdict }, verdict.status, kind);
}

async function isAble() {
  try {
    await Promise.all([...trust.vkeys, ...trust.witnesses].map(readVerifierKey));
    return true;
  } catch {
    return false;
  }
}

async function run() {
  const began = performance.now();
  state({ message: "checking" }, "checking", "part");
  try {
    if (await isAble()) await check();
    else state({ message: "too_old_browser" }, "too_old_browser", "bad");
  } catch (error) {
    const code = error instanceof Refused ? error.code : FORM;
    state({ code }, code, "bad");
  }
  result.dataset.milliseconds = String(Math.round(performance.now() - began));
}

document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    language = button.dataset.language;
    show();
  });
}
document.getElementById("origin").textContent = trust.origin;
document.getElementById("threshold").textContent = String(trust.threshold);
show();
