"""What an act recorded of the person beside a question: as names and values for a list. Pure.

Rule: nothing that the entry says is left out because this page does not know its name: it is shown
under that name.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from connectors.portal.pages.words import Words
from datwat.protocol.access_log import AccessCard
from datwat.web.i18n import Speech, mark

_LABELS: Final = {
    "kind": mark("What kind"),
    "kinds": mark("What kinds"),
    "since_at": mark("Since"),
    "expires_at": mark("Ends on"),
    "shielded": mark("Hidden from others"),
    "reason": mark("Why"),
    "member_role": mark("Your place in the household"),
    "told_at": mark("Told to you on"),
    "reaction": mark("What you said to it"),
    "handler_roles": mark("Who works on it"),
    "goals_reached": mark("Goals"),
    "plan_made": mark("A plan was made"),
    "consent": mark("What it is about"),
    "withdraws": mark("What you took back: number"),
    "erases": mark("What you want destroyed: number"),
    "answers": mark("Answer to number"),
    "kept_for": mark("Why it is kept"),
    "law": mark("By which law"),
    "decided_because": mark("Why this was decided"),
    "blocks": mark("Who may not look"),
    "shields": mark("Your address is hidden"),
    "lifts": mark("What you took back: number"),
    "question": mark("Your question"),
    "question_to": mark("Asked to"),
    "question_about": mark("About number"),
    "outcome": mark("What was decided"),
    "answer": mark("The answer"),
    "remedy": mark("What you can do"),
    "objects_to": mark("What you do not agree with"),
    "authority_kind": mark("Who has authority"),
    "other_party": mark("The other organisation"),
    "contact_state": mark("How it stands"),
    "ground": mark("Why you see this later"),
    "until_at": mark("Until"),
    "opening": mark("When you see it"),
    "decider_role": mark("Who decided"),
    "looked_by": mark("Who looked"),
    "looked_because": mark("Why somebody looked"),
    "helped_by": mark("Who helped you at the desk"),
    "helped_because": mark("Why you were at the desk"),
    "copy_given": mark("You were given a print"),
    "count": mark("How many"),
}
_PREFIXED: Final = frozenset(
    {"reason", "reaction", "goals_reached", "authority_kind", "contact_state", "opening"}
)
_WORDS_OF_PEOPLE: Final = frozenset(
    {
        "question", "answer", "decided_because", "looked_because", "law", "decider_role",
        "looked_by", "helped_by", "helped_because",
    }
)  # fmt: skip


def build_facts(card: AccessCard, words: Words, speech: Speech) -> list[tuple[str, str]]:
    """Return what an act says of the person, each with its name, in the order of the entry."""
    facts = [
        (speech.say(_LABELS[name]) if name in _LABELS else name, _say(name, value, words, speech))
        for name, value in card.details.items()
        if value != () and not (name == "shielded" and value is False)
    ]
    if card.reason:
        facts.append((speech.say(mark("Your reason")), card.reason))
    return facts


def _say(name: str, value: str | int | tuple[str, ...], words: Words, speech: Speech) -> str:
    match value:
        case bool():
            said = speech.say(mark("Yes") if value else mark("No"))
        case int():
            said = str(value)
        case tuple():
            said = ", ".join(words.say(one) for one in value)
        case _ if name in _WORDS_OF_PEOPLE:
            said = value
        case _ if name.endswith("_at"):
            said = _say_day(value, speech)
        case _ if name in _PREFIXED:
            said = words.say(f"{name}_{value}").removeprefix(f"{name}_")
        case _ if value in words.view.purposes:
            said = words.purpose(value)
        case _:
            said = words.say(value)
    return said


def _say_day(value: str, speech: Speech) -> str:
    try:
        return speech.say_date(datetime.fromisoformat(value))
    except ValueError:
        return value
