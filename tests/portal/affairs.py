"""What the broker may say of somebody: nothing, enough, and very much with long names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from datwat.protocol.acts import Contact
from datwat.protocol.own_affairs import (
    OwnBlock,
    OwnConsent,
    OwnInvolvement,
    OwnObjection,
    OwnQuestion,
    OwnShield,
    PastInvolvement,
    Reply,
)
from tests.portal.paper_world import LONG

NOW = datetime.now(UTC).replace(microsecond=0)
EVIL = "<script>alert(1)</script>{{ 7*7 }}%(x)s\"'>"
TEAM = "00000099000000010000:social-team"
YOUTH = "00000099000000010001:youth-help"
DEBT = "00000099000000010002:debt-counselling"
INCOME = "00000099000000010003:income"
ATTENDANCE = "00000099000000010004:school-attendance"
SAFE = "00000099000000010005:veilig-thuis"
NAMES = {
    TEAM: "Sociaal team Rijnstad",
    YOUTH: "Jeugdhulp Rijnmond",
    DEBT: "Schuldhulp Rijnstad",
    INCOME: "Gemeente Rijnstad, afdeling inkomen",
    ATTENDANCE: "Gemeente Rijnstad, leerplicht",
    SAFE: "Veilig Thuis Rijnmond",
}
OWN, OTHER = b"o" * 16, b"c" * 16


def build_involvement(**changes: Any) -> OwnInvolvement:  # noqa: ANN401 - members of a model
    """Return an involvement, changed."""
    members = {
        "number": 41,
        "source": YOUTH,
        "source_name": NAMES[YOUTH],
        "kind": "youth_help",
        "domain": "youth",
        "contact": Contact(role="Jeugdhulpverlener", name="P. Vos", phone="010 555 01 31"),
        "central": "010 555 01 00",
        "since_at": NOW - timedelta(days=400),
        "as_of": NOW - timedelta(days=30),
        "until_at": NOW + timedelta(days=300),
        "shielded": False,
        **changes,
    }
    return OwnInvolvement.model_validate(members)


def build_past(**changes: Any) -> PastInvolvement:  # noqa: ANN401 - members of a model
    """Return an involvement that is over, changed."""
    members = {
        "number": 7,
        "source": DEBT,
        "source_name": NAMES[DEBT],
        "kind": "debt_counselling",
        "domain": "debt",
        "since_at": NOW - timedelta(days=900),
        "registered_at": NOW - timedelta(days=880),
        "ended_at": NOW - timedelta(days=200),
        "how": "ended",
        "told_in": 33,
        **changes,
    }
    return PastInvolvement.model_validate(members)


def build_consent(**changes: Any) -> OwnConsent:  # noqa: ANN401 - members of a model
    """Return a consent in force, changed."""
    members = {
        "number": 51,
        "kind": "explicit",
        "purpose": "school_attendance",
        "product": "jeugdhulp",
        "fields": ("status", "contact"),
        "source": YOUTH,
        "source_name": NAMES[YOUTH],
        "requester": ATTENDANCE,
        "requester_name": NAMES[ATTENDANCE],
        "given_by": "self",
        "given_at": NOW - timedelta(days=3),
        "until_at": NOW + timedelta(days=180),
        "withdrawn_at": None,
        "recorded_by": TEAM,
        "recorded_by_name": NAMES[TEAM],
        **changes,
    }
    return OwnConsent.model_validate(members)


def build_objection(**changes: Any) -> OwnObjection:  # noqa: ANN401 - members of a model
    """Return an objection that waits, changed."""
    members = {
        "number": 61,
        "purpose": "coordinate_family_help",
        "reason": "Ik wil eerst zelf met mijn regisseur praten.",
        "made_at": NOW - timedelta(days=2),
        "answer_by": NOW + timedelta(days=28),
        "state": "open",
        "answer": None,
        "remedy": None,
        "recorded_by": TEAM,
        "recorded_by_name": "Inwonersportaal",
        **changes,
    }
    return OwnObjection.model_validate(members)


def build_reply(**changes: Any) -> Reply:  # noqa: ANN401 - members of a model
    """Return an officer's answer, changed."""
    members = {
        "number": 70,
        "at": NOW - timedelta(days=1),
        "role": "Functionaris gegevensbescherming",
        "text": "Het team vroeg dit voor uw eigen hulpvraag. Wij leggen het graag aan u uit.",
        **changes,
    }
    return Reply.model_validate(members)


def build_question(**changes: Any) -> OwnQuestion:  # noqa: ANN401 - members of a model
    """Return a question that waits, changed."""
    members = {
        "number": 65,
        "to": TEAM,
        "to_name": NAMES[TEAM],
        "about": 12,
        "text": "Waarom vroeg u naar mijn inkomen?",
        "asked_at": NOW - timedelta(days=5),
        "answer_by": NOW + timedelta(days=25),
        "state": "open",
        "answer": None,
        **changes,
    }
    return OwnQuestion.model_validate(members)


def build_block(**changes: Any) -> OwnBlock:  # noqa: ANN401 - members of a model
    """Return that an organisation may not look, changed."""
    members = {
        "number": 67,
        "organisation": INCOME,
        "organisation_name": NAMES[INCOME],
        "since_at": NOW - timedelta(days=9),
        "until_at": NOW + timedelta(days=1800),
        **changes,
    }
    return OwnBlock.model_validate(members)


SHIELD = OwnShield(number=68, since_at=NOW - timedelta(days=1), until_at=NOW + timedelta(days=1824))


@dataclass
class Affairs:
    """What the broker would say of one person."""

    now: tuple[OwnInvolvement, ...] = ()
    past: tuple[PastInvolvement, ...] = ()
    is_whole: bool = True
    consents: tuple[OwnConsent, ...] = ()
    objections: tuple[OwnObjection, ...] = ()
    questions: tuple[OwnQuestion, ...] = ()
    blocks: tuple[OwnBlock, ...] = ()
    shield: OwnShield | None = None


FULL = Affairs(
    now=(
        build_involvement(
            number=44,
            source=TEAM,
            source_name=NAMES[TEAM],
            kind="social_team_support",
            domain="care",
            contact=Contact(role="Regisseur", name="N. de Wit", phone="010 555 02 31"),
            since_at=NOW - timedelta(days=120),
        ),
        build_involvement(),
        build_involvement(
            number=None,
            source=None,
            source_name=None,
            kind=None,
            domain="care",
            contact=Contact(role="Centraal nummer", phone="14 030"),
            central="Centraal nummer 14 030",
            since_at=None,
            shielded=True,
        ),
    ),
    past=(build_past(), build_past(number=9, how="moved", ended_at=NOW - timedelta(days=500))),
    consents=(
        build_consent(),
        build_consent(number=52, withdrawn_at=NOW - timedelta(days=1)),
        build_consent(
            number=53,
            given_at=NOW - timedelta(days=400),
            until_at=NOW - timedelta(days=40),
            product=None,
            fields=(),
            source=None,
            source_name=None,
            requester=None,
            requester_name=None,
        ),
    ),
    objections=(
        build_objection(),
        build_objection(number=62, purpose=None, answer_by=NOW - timedelta(days=1)),
        build_objection(number=63, state="rejected", answer=build_reply(), remedy="administrative"),
        build_objection(number=64, state="upheld", answer=build_reply(), remedy="court"),
    ),
    questions=(
        build_question(),
        build_question(
            number=66, to=None, to_name=None, about=None, state="answered", answer=build_reply()
        ),
    ),
    blocks=(build_block(),),
    shield=SHIELD,
)
HARD = Affairs(
    now=tuple(
        build_involvement(
            number=100 + number,
            source_name=f"{LONG} {number}" if number % 2 else EVIL,
            contact=Contact(
                role=LONG, name=EVIL, phone="0800 123", email=f"{'x' * 60}@{'y' * 60}.example"
            ),
        )
        for number in range(20)
    ),
    past=tuple(build_past(number=200 + number, source_name=LONG) for number in range(40)),
    is_whole=False,
    consents=tuple(
        build_consent(number=300 + number, requester_name=LONG, source_name=EVIL)
        for number in range(12)
    ),
    objections=tuple(
        build_objection(number=400 + number, reason=(EVIL + "w" * 300)) for number in range(12)
    ),
    questions=tuple(
        build_question(
            number=500 + number,
            to_name=LONG,
            text=EVIL + "w" * 300,
            state="answered",
            answer=build_reply(text=EVIL + "v" * 300, role=LONG),
        )
        for number in range(12)
    ),
    blocks=tuple(build_block(number=600 + number, organisation_name=LONG) for number in range(12)),
    shield=SHIELD,
)


def change(affairs: Affairs, **members: Any) -> Affairs:  # noqa: ANN401 - members of it
    """Return somebody's affairs, changed."""
    return replace(affairs, **members)
