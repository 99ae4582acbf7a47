"""A value for every member that a statement or a person part can have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from datwat.protocol.acts import (
    Authority,
    CloseOccasion,
    Consent,
    Contact,
    Conversation,
    DeskVisit,
    Handler,
    Motivation,
    Objection,
    OccasionStatement,
    Page,
    Professional,
    ProofRequest,
    Registration,
    SpecialSituation,
    Statement,
    Wish,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LATER = NOW + timedelta(days=30)
PROFESSIONAL = Professional(id="j.jansen", role="regisseur")
_CALL = Contact(role="Regisseur", phone="010 000 0000")
_HANDLER = Handler(professional="j.jansen", role="coordinator", from_at=NOW)
_CONSENT = Consent(
    kind="explicit",
    purpose="help",
    given_by="self",
    written=True,
    given_at=NOW,
    until_at=_LATER,
)

STATEMENT: Mapping[str, Any] = {
    "occasion": b"occasion-1234567",
    "opens": OccasionStatement(kind="help_request", team="wijkteam", handlers=(_HANDLER,)),
    "handlers": (_HANDLER,),
    "closes": CloseOccasion(reason="completed", goals_reached="yes", plan_made=True),
    "special_situation": SpecialSituation(
        ground="safety",
        decider=PROFESSIONAL,
        until_at=_LATER,
        opening="by_person",
        reason="Gevaar.",
    ),
    "motivation": Motivation(purpose="Het plan."),
    "call_back": _CALL,
    "internal_reason": "Intern.",
}
PERSON: Mapping[str, Any] = {
    "role": "parent",
    "source": "told",
    "told_at": NOW,
    "may_look_up": True,
    "identity": "document",
    "age_band": "18+",
    "involvement": b"involvement-0001",
    "contact_request": b"contact-request1",
    "registers": Registration(kind="debt_counselling", contact=_CALL, since_at=NOW),
    "ends": "ended",
    "conversation": Conversation(at=NOW, told="Alles.", reaction="agrees", alternatives="Geen."),
    "consent": _CONSENT,
    "objection": Objection(made_at=NOW),
    "authority": Authority(
        kind="guardian", scope="Alles.", source="document", checked_at=NOW, until_at=_LATER
    ),
    "contact_state": "seen",
    "wish": Wish(consent=_CONSENT),
    "desk": DeskVisit(role="desk", second_role="lead", reason="Showed a passport"),
    "page": Page(),
    "proof": ProofRequest(quarters=("2026Q1",)),
}


def build_statement(members: Collection[str]) -> Statement:
    """Return a statement with exactly these members beside `professional`."""
    return Statement(professional=PROFESSIONAL, **{name: STATEMENT[name] for name in members})


def build_person_members(members: Collection[str]) -> dict[str, Any]:
    """Return the members of a person part beside `person`."""
    return {name: PERSON[name] for name in members}
