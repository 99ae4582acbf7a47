"""The portal shows nothing but what stands in the log, and as its entry says it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.errors import AnswerFormError
from connectors.portal.errors import OwnLogError
from connectors.portal.own_log import verify_own_log
from datwat.protocol.access_log import AccessLog, EntryProof, ProvedCard, ProvedLog
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.card_data import CardDataError, build_told_data, read_all_told
from datwat.protocol.card_sentences import SUPPORT
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.checkpoint import Checkpoint, CheckpointSigner
from datwat.protocol.entry import build_person_entry, derive_commit, derive_payload_hash
from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import build_inclusion_proof, derive_root, hash_leaf, hash_node
from datwat.protocol.receipt import ReceiptError
from datwat.protocol.texts import Texts
from datwat.protocol.trust import LogEntry
from datwat.protocol.values import encode_bytes

ORIGIN = "log.example/log/1"
RID = b"r" * 16
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PARTNER = "00000099000000001000:social-team"
TEXTS = {
    "nl": {
        "told": "De inwoner weet het.",
        "never_told": "{days} dagen later.",
        "child_safety": "veiligheid",
    },
    "en": {
        "told": "The resident knows.",
        "never_told": "{days} days later.",
        "child_safety": "safety",
    },
}
WORDING = {"nl": "Hulp aan gezinnen", "en": "Help for families"}
CATALOGUE = CatalogueView.model_validate(
    {
        "purposes": {
            "coordinate_family_help": {
                "id": "coordinate_family_help",
                "revisions": (
                    {
                        "id": "coordinate_family_help",
                        "digest": "a" * 64,
                        "title": WORDING,
                        "sentence": WORDING,
                        "domain": "care",
                        "valid_from": AT,
                        "legal_check": "open",
                        "edges": (),
                    },
                ),
            }
        },
        "products": {},
        "kinds": {},
    }
)


def verify(raw: bytes, rid: bytes, log: LogEntry) -> tuple[AccessLog, Checkpoint]:
    return verify_own_log(raw, rid, log, Texts(TEXTS), CATALOGUE)


def build_payload(**changes: object) -> dict[str, Any]:
    return {
        "v": 1,
        "event": "inquire",
        "at": "2026-03-02T09:00:00Z",
        "rid": encode_bytes(b"q" * 16),
        "requester": {"id": PARTNER, "name": "Team"},
        "notice": "now",
        **changes,
    }


class Log:
    """A log of two entries, the first about the person."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self.signer = CheckpointSigner(ORIGIN, Ed25519PrivateKey.generate())
        self.payload = encode_canonical(payload)
        self.salt, self.core, self.tag = b"s" * 32, b"core", b"t" * 32
        commit = derive_commit(self.core, derive_payload_hash(self.salt, self.payload))
        leaves = [hash_leaf(build_person_entry(self.tag, commit)), hash_leaf(b"other")]

        def node(level: int, index: int) -> bytes:
            return leaves[index] if level == 0 else hash_node(*leaves)

        self.path = build_inclusion_proof(node, 0, 2)
        self.note = self.signer.sign(2, derive_root(leaves))
        self.entry = LogEntry(origin=ORIGIN, vkeys=(self.signer.vkey,))

    def build_page(self, **proof: object) -> bytes:
        members = {
            "index": 0,
            "path": tuple(self.path),
            "audience": "open",
            "tag": self.tag,
            "core": self.core,
            "salt": self.salt,
            "payload": self.payload,
            **proof,
        }
        card = ProvedCard(proofs=(EntryProof.model_validate(members),))
        page = ProvedLog(v=1, rid=RID, checkpoint=self.note, cards=(card,))
        return page.model_dump_json().encode()


def test_a_card_that_stands_in_the_log_is_shown() -> None:
    log = Log(build_payload())
    page, checkpoint = verify(log.build_page(), RID, log.entry)
    assert (len(page.cards), checkpoint.size) == (1, 2)


@pytest.mark.parametrize(
    "card",
    [
        {"proofs": []},
        {"summary": {"nl": "Er is niets gevraagd.", "en": "Nothing was asked."}},
        {"permitted": False},
    ],
)
def test_a_card_without_an_entry_or_with_a_word_of_the_brokers_is_refused(
    card: dict[str, Any],
) -> None:
    log = Log(build_payload())
    page = json.loads(log.build_page())
    page["cards"][0].update(card)
    with pytest.raises(AnswerFormError):
        verify(json.dumps(page).encode(), RID, log.entry)


@pytest.mark.parametrize(
    "proof",
    [
        {"core": b"cor3"},
        {"salt": b"x" * 32},
        {"tag": b"x" * 32},
        {"index": 1},
        {"path": ()},
        {"path": (b"x" * 32,)},
        {"payload": encode_canonical(build_payload(event="release"))},
    ],
)
def test_an_entry_that_is_not_the_one_in_the_log_is_refused(proof: dict[str, Any]) -> None:
    log = Log(build_payload())
    with pytest.raises(ReceiptError):
        verify(log.build_page(**proof), RID, log.entry)


def test_another_log_another_answer_and_garbage_are_refused() -> None:
    log, other = Log(build_payload()), Log(build_payload())
    with pytest.raises(ProtocolError):
        verify(log.build_page(), RID, other.entry)
    with pytest.raises(OwnLogError):
        verify(log.build_page(), b"z" * 16, log.entry)
    with pytest.raises(AnswerFormError):
        verify(b"{}", RID, log.entry)


def build_reopened(**changes: object) -> dict[str, Any]:
    earlier = encode_canonical(build_payload())
    core, salt = b"earlier core", b"e" * 32
    commit = derive_commit(core, derive_payload_hash(salt, earlier))
    members = {
        "index": 0,
        "commit": encode_bytes(commit),
        "salt": encode_bytes(salt),
        "core": encode_bytes(core),
        "payload": encode_bytes(earlier),
        **changes,
    }
    return build_payload(event="opened", at="2026-04-02T09:00:00Z", reopened=members)


def test_an_opened_entry_tells_what_the_earlier_one_committed_to() -> None:
    log = Log(build_reopened())
    page, _ = verify(log.build_page(), RID, log.entry)
    assert page.cards[0].event == "inquire"
    assert page.cards[0].told_later_at == datetime(2026, 4, 2, 9, 0, tzinfo=UTC)
    assert page.cards[0].summary.nl.startswith("Team vroeg wie er bij u betrokken is.")


def test_an_opened_entry_with_another_earlier_half_is_refused() -> None:
    log = Log(build_reopened(core=encode_bytes(b"another core")))
    with pytest.raises(OwnLogError):
        verify(log.build_page(), RID, log.entry)
    assert json.loads(log.payload)["event"] == "opened"


SOURCE = "00000099000000001000:debt-counselling"
MOTIVATION = dict.fromkeys(
    ("purpose", "subsidiarity", "proportionality", "efficiency", "transparency"), "Een reden."
)
BASIS = {"giver_article": "Wgs 8", "taker_article": "Wmo 2015 5.2.1", "mode": "may"}
FULL = {
    "event": "release",
    "asked": {
        "role": "regisseur",
        "purpose": "coordinate_family_help",
        "fields": ["regeling.status", "regeling.soort"],
        "motivation": MOTIVATION,
    },
    "said": {
        "permit": True,
        "rung": "wat",
        "findings": [{"blade": "purpose", "code": "told", "satisfied": True, "params": {}}],
        "withheld": [{"field": "regeling.soort", "code": "field_not_permitted"}],
        "legal_basis": BASIS,
        "revision": "b" * 64,
    },
    "pointers": [
        {"source": {"id": SOURCE, "name": "Schuldhulp"}, "kind": "debt_counselling", "rung": "dat"}
    ],
    "detail": {"ground": "child_safety", "handler_roles": ["coordinator"], "count": 2},
    "delivered": {"fields": ["regeling.status"]},
}


def show(**says: object) -> dict[str, Any]:
    """Return the one card that the portal makes of an entry, as JSON."""
    log = Log(build_payload(**says))
    page, _ = verify(log.build_page(), RID, log.entry)
    (card,) = json.loads(page.model_dump_json())["cards"]
    return dict(card)


def test_a_full_card_says_all_that_its_entry_says() -> None:
    card = show(**FULL)
    assert {**card, "proofs": None} == {
        "number": 0,
        "event": "release",
        "at": "2026-03-02T09:00:00Z",
        "requester": PARTNER,
        "requester_name": "Team",
        "role": "regisseur",
        "purpose": "coordinate_family_help",
        "summary": {
            "nl": "Team vroeg - om gegevens over u. Doel: Hulp aan gezinnen.",
            "en": "Team asked - for data about you. Purpose: Help for families.",
        },
        "motivation": MOTIVATION,
        "permitted": True,
        "rung": "wat",
        "findings": [
            {
                "blade": "purpose",
                "code": "told",
                "satisfied": True,
                "text": {"nl": "De inwoner weet het.", "en": "The resident knows."},
            }
        ],
        "pointers": [
            {
                "source": SOURCE,
                "source_name": "Schuldhulp",
                "kind": "debt_counselling",
                "rung": "dat",
            }
        ],
        "fields_asked": ["regeling.status", "regeling.soort"],
        "fields_given": ["regeling.status"],
        "withheld": [
            {
                "field": "regeling.soort",
                "code": "field_not_permitted",
                "text": {"nl": "field_not_permitted", "en": "field_not_permitted"},  # no text: code
            }
        ],
        "failure": None,
        "legal_basis": BASIS,
        "told_later_at": None,
        "support": SUPPORT.model_dump(),
        "details": {"ground": "child_safety", "handler_roles": ["coordinator"], "count": 2},
        "reason": None,
        "proofs": None,
    }


def test_a_parameter_of_a_finding_is_in_its_sentence() -> None:
    finding = {"blade": "purpose", "code": "never_told", "satisfied": True, "params": {"days": 9}}
    card = show(said={"permit": False, "rung": "dat", "findings": [finding]})
    assert card["findings"][0]["text"] == {"nl": "9 dagen later.", "en": "9 days later."}


def test_an_event_that_this_portal_does_not_know_is_named() -> None:
    card = show(event="something_new")
    assert card["summary"] == {"nl": "Team: something_new.", "en": "Team: something_new."}


@pytest.mark.parametrize(
    "says",
    [
        {"event": "No slug"},
        {"at": "yesterday"},
        {"requester": {"id": "somebody", "name": "Team"}},
        {"requester": {"id": PARTNER, "name": "T" * 5_000}},
        {"requester": PARTNER},
        {"said": {"permit": "yes", "rung": "wat"}},
        {"said": {"permit": True, "rung": "everything"}},
        {"said": {"findings": [{"blade": "purpose", "code": "told"}]}},
        {"pointers": [{}]},
        {"asked": {"motivation": "Een reden."}},
        {"detail": {"objection_reason": "\x00"}},
    ],
)
def test_an_entry_without_the_form_of_one_is_shown_to_nobody(says: dict[str, Any]) -> None:
    """Its writer committed to it in the log: a page of it must not break, nor say half of it."""
    with pytest.raises(OwnLogError):
        show(**says)


def test_an_outcome_stands_only_with_its_own_question() -> None:
    def prove(index: int, core: dict[str, Any], **changes: object) -> EntryProof:
        payload = encode_canonical(build_payload(**changes))
        return EntryProof(
            index=index,
            path=(),
            audience="open",
            tag=b"t" * 32,
            core=encode_canonical(core),
            salt=b"s" * 32,
            payload=payload,
        )

    question = prove(0, {"v": 1}, **{**FULL, "delivered": None})
    digest = encode_bytes(hashlib.sha256(question.core).digest())
    delivered = {"fields": ["regeling.status"]}
    outcome = prove(1, {"core_hash": digest}, event="outcome", delivered=delivered)
    assert build_told_data(read_all_told([question, outcome]))["fields_given"] == [
        "regeling.status"
    ]
    for wrong in (
        prove(1, {"core_hash": encode_bytes(b"x" * 32)}, event="outcome", delivered=delivered),
        prove(1, {"core_hash": digest}, event="inquire", delivered=delivered),
        prove(1, {"v": 1}, event="outcome", delivered=delivered),
    ):
        with pytest.raises(CardDataError):
            build_told_data(read_all_told([question, wrong]))
