"""How lists and items of the answer pages read: names, hints, facts in words. Pure.

Rules: codes of policy are said by the texts of the bundle in force, everything else by the
catalogue; a list names nobody, and an item shows a resident's own words only where they wrote them
to be answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.exchange.answering_blocks import Language
from broker.exchange.answering_lists import LISTS, Counts, Listed, ListName
from broker.pages.answers_port import AnswersPort
from broker.pages.officer import Officer
from datwat.web.i18n import mark
from datwat.web.site import Visit

NAMES: Final[Mapping[ListName, str]] = {
    "objections": mark("Objections"),
    "questions": mark("Questions"),
    "disputes": mark("Consents under dispute"),
    "wrong_person": mark("Wrong person"),
    "special": mark("Special situations"),
    "urgent": mark("Urgent questions, reviewed afterwards"),
    "desk": mark("Asked at a desk"),
    "erasures": mark("Requests to destroy"),
    "tell": mark("Still to be told"),
}
HINTS: Final[Mapping[ListName, str]] = {
    "objections": mark("A resident does not agree. You answer within a month."),
    "questions": mark("A resident wants to know something. You answer within a month."),
    "disputes": mark("Parents do not agree. Their consent does not count until you decide."),
    "wrong_person": mark("Data stood with somebody else. Was it a breach? You have 72 hours."),
    "special": mark("A resident is told later. Somebody decides at the end of the term."),
    "urgent": mark("A partner asked in a crisis. You judge it within two working days."),
    "desk": mark("Somebody without a login asked something. They need the answer on paper."),
    "erasures": mark("A resident wants something destroyed. Two people decide within a month."),
    "tell": mark("A resident does not know yet that an organisation is involved."),
}
EMPTY: Final[Mapping[ListName, str]] = {
    "objections": mark("No objection waits for an answer."),
    "questions": mark("No question waits for an answer."),
    "disputes": mark("No consent is under dispute."),
    "wrong_person": mark("Nobody reported a wrong person."),
    "special": mark("Nobody is told something later."),
    "urgent": mark("No urgent question waits for a review."),
    "desk": mark("Nobody at a desk waits for an answer on paper."),
    "erasures": mark("Nobody asked to destroy something."),
    "tell": mark("Everybody was told in time."),
}
OUTCOME_NAMES: Final[Mapping[str, str]] = {
    "upheld": mark("The resident is right: the objection goes on to count"),
    "rejected": mark("The resident is not right: the objection counts no more"),
    "answered": mark("Answer the question"),
    "dispute_stands": mark("The dispute is over: the consent counts again"),
    "dispute_fallen": mark("The consent falls: it counts no more"),
    "no_breach": mark("No breach: nobody is harmed"),
    "breach": mark("A breach: it was reported to the authority"),
    "review_justified": mark("The haste was justified"),
    "review_unjustified": mark("The haste was not justified"),
    "letter_given": mark("The answer was given on paper"),
    "open": mark("Tell it now"),
    "renew": mark("A longer term is needed"),
}
BEHAVIOURS: Final[Mapping[str, str]] = {
    "none": mark("The law obliges to share: an objection changes nothing. Explain why."),
    "suspend": mark("Sharing for this purpose stopped at once, until you answer."),
    "suspend_unless_danger": mark(
        "Sharing for this purpose stopped at once, but for when somebody else is in danger."
    ),
    "all": mark("The resident objects to every purpose: each stops as far as its rules say."),
    "gone": mark("This purpose is no longer in force: nothing is shared for it."),
}
_FACTS: Final[Mapping[str, str]] = {
    "behaviour": mark("What the objection does"),
    "act": mark("What was done"),
    "consents": mark("Consents that do not count now"),
    "asked": mark("What was asked"),
    "occasion": mark("On what it rests"),
    "coordinator": mark("Who leads (as their organisation knows them)"),
    "team": mark("Team"),
    "ground": mark("Why it is told later"),
    "state": mark("How it stands"),
    "opening": mark("How it opens"),
    "decider": mark("Who decides"),
}
STATES: Final[Mapping[str, str]] = {
    "declared": mark("It waits"),
    "refused": mark("Refused by the rules; a person tells it"),
    "due": mark("It opens by itself now"),
    "overdue": mark("Overdue: it waits for a person"),
}
_OPENINGS: Final[Mapping[str, str]] = {
    "automatic": mark("By itself, at the end of the term"),
    "by_person": mark("Only when a person decides it"),
}
_VERBATIM: Final = frozenset({"coordinator", "team", "decider", "consents"})


@dataclass(frozen=True)
class RowView:
    """One item as a list shows it."""

    number: str
    path: str
    title: str
    since: str
    due: str
    left: str
    kind: str
    partner: str


@dataclass(frozen=True)
class ListView:
    """One list as the overview shows it."""

    name: str
    path: str
    title: str
    hint: str
    kind: str
    word: str
    reminders: str


def find_language(visit: Visit[Officer]) -> Language:
    """Return the language of the page."""
    return visit.speech.code


def build_list_view(visit: Visit[Officer], name: ListName, counts: Counts) -> ListView:
    """Return one list of the overview: how many wait, what is overdue, which reminders there are.

    A full list says that there may be more.
    """
    if counts.overdue:
        kind, word = "warning", visit.say(mark("Overdue: %(count)s"), count=counts.overdue)
    elif counts.waiting:
        kind, word = "waiting", visit.say(mark("Nothing is overdue"))
    else:
        kind, word = "done", visit.say(EMPTY[name])
    return ListView(
        name=name,
        path=f"/answers/{name}",
        title=visit.say(NAMES[name]),
        hint=visit.say(HINTS[name]),
        kind=kind,
        word=word,
        reminders=_say_reminders(visit, counts),
    )


def _say_reminders(visit: Visit[Officer], counts: Counts) -> str:
    if not counts.waiting:
        return ""
    text = mark("%(count)s or more wait.") if counts.more else mark("%(count)s wait.")
    found = [visit.say(text, count=counts.waiting)]
    if counts.half:
        found.append(visit.say(mark("Past half of the term: %(count)s."), count=counts.half))
    if counts.end:
        found.append(visit.say(mark("On the last day: %(count)s."), count=counts.end))
    return " ".join(found)


def say_left(visit: Visit[Officer], one: Listed) -> str:
    """Return how much of the term is left, in words."""
    if one.overdue:
        days = -one.days_left
        text = mark("Overdue since yesterday") if days == 1 else mark("Overdue for %(days)s days")
        return visit.say(text, days=days)
    if one.days_left == 0:
        return visit.say(mark("The last day"))
    text = mark("1 day left") if one.days_left == 1 else mark("%(days)s days left")
    said, half = visit.say(text, days=one.days_left), visit.say(mark("past half"))
    return f"{said} · {half}" if one.reminder == "half" else said


def build_row(visit: Visit[Officer], port: AnswersPort, one: Listed) -> RowView:
    """Return one item of a list."""
    return RowView(
        number=one.number,
        path=f"/answers/{one.list}/{one.number}",
        title=say_title(visit, port, one),
        since=visit.speech.say_date(one.since_at),
        due=visit.speech.say_date(one.due_at),
        left=say_left(visit, one),
        kind="warning" if one.overdue else "waiting",
        partner=port.name(one.partner) if one.partner else "",
    )


def say_title(visit: Visit[Officer], port: AnswersPort, one: Listed) -> str:
    """Return what an item is called: its purpose, its ground, or its number."""
    language = find_language(visit)
    if one.purpose is not None:
        return port.find_title(one.purpose, language)
    if "ground" in one.facts:
        return port.say(one.facts["ground"], language)
    if one.list == "objections":
        return visit.say(mark("Every purpose"))
    return visit.say(mark("Number %(number)s"), number=one.number)


def build_facts(visit: Visit[Officer], port: AnswersPort, one: Listed) -> list[tuple[str, str]]:
    """Return what is known of an item, each with its name."""
    say, language = visit.say, find_language(visit)
    found = [
        (say(mark("Number")), one.number),
        (say(mark("Since")), visit.speech.say_moment(one.since_at)),
        (say(mark("Answer by")), f"{visit.speech.say_moment(one.due_at)} · {say_left(visit, one)}"),
    ]
    if one.purpose is not None:
        found.append((say(mark("Purpose")), port.find_title(one.purpose, language)))
    if one.partner is not None:
        found.append((say(mark("Organisation")), port.name(one.partner)))
    if one.about is not None:
        found.append((say(mark("About entry")), str(one.about)))
    return [
        *found,
        *(
            (say(_FACTS[name]), _say_fact(visit, port, name, value))
            for name, value in one.facts.items()
        ),
    ]


def _say_fact(visit: Visit[Officer], port: AnswersPort, name: str, value: str) -> str:
    if name in _VERBATIM:
        return value
    if name == "asked" and value in LISTS:
        return visit.say(NAMES[value])
    words = {"behaviour": BEHAVIOURS, "state": STATES, "opening": _OPENINGS}.get(name, {})
    if value in words:
        return visit.say(words[value])
    return port.say(value, find_language(visit))
