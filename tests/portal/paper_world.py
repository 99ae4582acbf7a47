"""Cards, involvements and wishes as a portal holds them, for documents and files.

Each card is built by the functions of the protocol from a payload as the log commits to it, with
the texts of the project's own bundle; what partners write is whatever a test wants.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from broker.policy.publication import build_publication
from connectors.portal.own_log import write_card
from connectors.portal.pages.paper.framing import Setting
from connectors.portal.pages.paper.gathering import OwnLog
from connectors.portal.pages.words import Words
from datwat.party import clock
from datwat.protocol.access_log import AccessCard, EntryProof, Sentence
from datwat.protocol.acts import Contact, Motivation
from datwat.protocol.bundle import Bundle
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.card_sentences import build_titles
from datwat.protocol.messages import BLADES
from datwat.protocol.own_affairs import (
    OwnBlock,
    OwnInvolvement,
    OwnInvolvements,
    OwnQuestion,
    OwnWishes,
    PastInvolvement,
)
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_bytes, encode_moment
from datwat.web.i18n import Code, load_speeches
from datwat.web.theme import load_theme
from tests.policy.opa_world import make_bundle

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 25, 19, 30, tzinfo=UTC)
BEGIN = datetime(2026, 11, 24, 9, 12, tzinfo=UTC)
DEBT = "00000099000000004000:debt-counselling"
TEAM = "00000099000000001000:social-team"
LONG = "Stichting Samenwerkende Jeugdhulpverleningsorganisaties Noordoost-Overijssel en Omstreken"
CONTACTS = {
    DEBT: "Telefoon 14 030, maandag tot en met vrijdag",
    TEAM: "sociaalteam@rijnstad.example",
}
ROOT_HASH = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k="
NOTE = f"log.example/log/1\n48213\n{ROOT_HASH}\n\n— log.example/log/1 AAAA\n"
PLAIN = Sentence(nl="-", en="-")


@cache
def read_bundle() -> Bundle:
    """Return the project's own policy bundle, signed for a test."""
    return make_bundle(build_publication(ROOT / "policies"))


def build_setting(code: Code = "nl", *, organisation: str = "Gemeente Rijnstad") -> Setting:
    """Return language, words and theme of a document."""
    speech = load_speeches([ROOT / "connectors" / "portal" / "pages" / "locale"])[code]
    words = Words.of(read_bundle(), code)
    return Setting(speech, words, load_theme(None).texts, organisation, NOW, is_represented=False)


def build_payload(number: int, **changes: object) -> dict[str, Any]:
    """Return what the entry of one question says; every third was refused."""
    refused = number % 3 == 1
    findings = [
        {
            "blade": blade,
            "code": "all_fields_permitted",
            "satisfied": not (refused and blade == "subsidiarity"),
        }
        for blade in BLADES
    ]
    asked: dict[str, Any] = {
        "role": "regisseur",
        "purpose": "coordinate_family_help",
        "source": {"id": DEBT, "name": "Schuldhulp Rijnstad"},
        "product": "schuldregeling",
        "fields": ["regeling.status", "regeling.soort", "totaal_schuld"],
        "motivation": Motivation(
            purpose="Het gezin vroeg zelf om één plan voor alles.",
            subsidiarity="Met het gezin besproken; zij weten de stand niet.",
        ).model_dump(exclude_defaults=True),
    }
    return {
        "v": 1,
        "event": "release",
        "at": encode_moment(BEGIN - timedelta(days=number)),
        "rid": encode_bytes(number.to_bytes(16, "big")),
        "requester": {"id": TEAM, "name": LONG if number % 4 == 3 else "Sociaal team Noord"},
        "notice": "now",
        "asked": asked,
        "said": {
            "permit": not refused,
            "rung": "none" if refused else "wat",
            "findings": findings,
            "withheld": [{"field": "totaal_schuld", "code": "field_not_in_purpose"}],
            "legal_basis": {
                "giver_article": "Wgs 8d",
                "taker_article": "Wmo 2015 5.1.1",
                "mode": "may",
            },
        },
        **({} if refused else {"delivered": {"fields": ["regeling.soort", "regeling.status"]}}),
        **changes,
    }


def build_card(number: int, **changes: object) -> AccessCard:
    """Return one card with what proves it (no path: nothing here checks it against a log)."""
    proof = EntryProof(
        index=number,
        path=(),
        audience="open",
        tag=b"t" * 32,
        core=b"{}",
        salt=b"s" * 32,
        payload=encode_canonical(build_payload(number, **changes)),
    )
    bundle = read_bundle()
    return write_card((proof,), Texts(bundle.texts), build_titles(bundle.view, clock.now()))


def build_log(count: int, **changes: object) -> OwnLog:
    """Return a log of so many cards, newest first: one a day."""
    return OwnLog(
        tuple(build_card(number, **changes) for number in range(count)), NOTE, is_whole=True
    )


def build_involvements() -> OwnInvolvements:
    """Return who is involved: one with all, one shielded; and one who was."""
    named = OwnInvolvement(
        number=17,
        source=DEBT,
        source_name="Schuldhulp Rijnstad",
        kind="debt_counselling",
        domain="debt",
        contact=Contact(role="schuldhulpverlener", name="M. de Wit", phone="030 555 0101"),
        central="14 030",
        since_at=BEGIN - timedelta(days=200),
        as_of=BEGIN,
        until_at=BEGIN + timedelta(days=300),
        shielded=False,
    )
    shielded = named.model_copy(
        update={
            "number": 18,
            "source": None,
            "source_name": None,
            "kind": None,
            "domain": "safety",
            "since_at": None,
            "contact": Contact(role="algemeen nummer", phone="0800 2000"),
            "shielded": True,
        }
    )
    past = PastInvolvement(
        number=3,
        source=TEAM,
        source_name=LONG,
        kind="youth_help",
        domain="youth",
        since_at=BEGIN - timedelta(days=900),
        registered_at=BEGIN - timedelta(days=880),
        ended_at=BEGIN - timedelta(days=100),
        how="ended",
        told_in=12,
    )
    return OwnInvolvements(
        v=1, rid=b"r" * 16, as_of=NOW, now=(named, shielded), past=(past,), is_whole=True
    )


def build_wishes() -> OwnWishes:
    """Return a question that waits, and a block."""
    question = OwnQuestion(
        number=20,
        to=DEBT,
        to_name="Schuldhulp Rijnstad",
        about=17,
        text="Waarom moest u dit weten?",
        asked_at=BEGIN,
        answer_by=BEGIN + timedelta(days=30),
        state="open",
        answer=None,
    )
    block = OwnBlock(
        number=21,
        organisation=TEAM,
        organisation_name="Sociaal team Noord",
        since_at=BEGIN,
        until_at=BEGIN + timedelta(days=1_000),
    )
    return OwnWishes(
        v=1,
        rid=b"r" * 16,
        as_of=NOW,
        consents=(),
        objections=(),
        questions=(question,),
        blocks=(block,),
        shield=None,
    )
