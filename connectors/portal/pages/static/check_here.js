// Checks the log on the reader's own device, with the keys that the page holds; then says what the
// portal's own check says too. Whatever stands in an entry is not shown here.

const place = document.querySelector("[data-check]");

function addText(parent, name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
}

// The same table as the portal's own check shows.
function addRolls(parent, texts, rolls) {
  const heads = JSON.parse(place.dataset.heads);
  const table = addText(parent, "table", "");
  table.className = "table";
  addText(table, "caption", place.dataset.counted);
  const head = addText(addText(table, "thead", ""), "tr", "");
  for (const words of heads) addText(head, "th", words).scope = "col";
  const body = addText(table, "tbody", "");
  for (const roll of rolls) {
    const row = addText(body, "tr", "");
    const cells = [roll.quarter, texts.chains[roll.audience], roll.entries, roll.erased];
    cells.forEach((words, number) => {
      const cell = addText(row, number ? "td" : "th", String(words));
      cell.dataset.head = heads[number];
      if (!number) cell.scope = "row";
    });
  }
}

async function fetchBundle(who, csrf) {
  const answer = await fetch("/v1/me/access-log/proof", {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify({ person: who }),
    cache: "no-store",
  });
  if (answer.status === 401) window.location.assign("/check");
  if (!answer.ok) return null;
  return answer.arrayBuffer();
}

function showVerdict(result, texts, bundle, verdict) {
  const { view } = bundle;
  addText(result, "h3", texts.status[verdict.status]);
  const moment = verdict.until === null || verdict.status === "entries_only"
    ? ""
    : new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short", timeZone: "Europe/Amsterdam" })
      .format(new Date(verdict.until * 1000));
  addText(result, "p", `${texts.explain[verdict.status][view]} ${moment}`.trim());
  if (verdict.findings.length) {
    addText(result, "h4", texts.look);
    const list = addText(result, "ul", "");
    for (const finding of verdict.findings) addText(list, "li", texts.findings[finding]);
  }
  addText(result, "p", `${texts.cosigned}: ${verdict.cosigned}.`);
  addRolls(result, texts, verdict.rolls);
}

async function checkHere() {
  const result = place.querySelector("[data-result]");
  const { texts, trust } = JSON.parse(place.dataset.check);
  result.replaceChildren();
  addText(result, "p", texts.checking);
  let kind = "refused";
  const began = performance.now();
  try {
    const raw = await fetchBundle(place.dataset.who, place.dataset.csrf);
    result.replaceChildren();
    if (raw === null) {
      addText(result, "p", place.dataset.away);
      kind = "away";
    } else {
      const fetched = performance.now();
      const bundle = readBundle(raw);
      const verdict = await checkBundle(bundle, trust, Math.floor(Date.now() / 1000));
      showVerdict(result, texts, bundle, verdict);
      kind = verdict.status === "proved" && !verdict.findings.length ? "done" : "warning";
      result.dataset.milliseconds = String(Math.round(performance.now() - fetched));
    }
  } catch (error) {
    result.replaceChildren();
    if (error instanceof Refused) {
      addText(result, "h3", texts.refused);
      addText(result, "p", `${texts.codes[error.code] ?? texts.codes.completeness_refused} (${error.code})`);
      addText(result, "p", texts.refused_what);
    } else {
      addText(result, "p", error instanceof DOMException ? place.dataset.old : place.dataset.away);
      kind = "away";
    }
  }
  result.className = `check-result check-result--${kind}`;
  result.dataset.kind = kind;
  result.dataset.whole = String(Math.round(performance.now() - began));
}

if (place !== null) {
  place.hidden = false;
  place.querySelector("button").addEventListener("click", checkHere);
}
