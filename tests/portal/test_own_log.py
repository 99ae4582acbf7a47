"""The portal shows nothing but what stands in the log, and as its entry says it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.errors import AnswerFormError
from connectors.portal.errors import OwnLogError
from connectors.portal.own_log import verify_own_log
from datwat.protocol.access_log import AccessCard, AccessLog, EntryProof, Sentence
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.checkpoint import CheckpointSigner
from datwat.protocol.entry import build_person_entry, derive_commit, derive_payload_hash
from datwat.protocol.errors import ProtocolError
from datwat.protocol.merkle import build_inclusion_proof, derive_root, hash_leaf, hash_node
from datwat.protocol.receipt import ReceiptError
from datwat.protocol.trust import LogEntry
from datwat.protocol.values import encode_bytes

ORIGIN = "log.example/log/1"
RID = b"r" * 16
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PARTNER = "00000099000000001000:social-team"
_LISTS = ("findings", "pointers", "fields_asked", "fields_given", "withheld")
PLAIN = Sentence(nl="Zin.", en="Sentence.")


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

    def build_page(self, *, proof: dict[str, Any] | None = None, **card: object) -> bytes:
        proofs = (
            EntryProof.model_validate(
                {
                    "index": 0,
                    "path": tuple(self.path),
                    "audience": "open",
                    "tag": self.tag,
                    "core": self.core,
                    "salt": self.salt,
                    "payload": self.payload,
                    **(proof or {}),
                }
            ),
        )
        members = {
            **dict.fromkeys(AccessCard.model_fields),
            "number": 0,
            "rid": b"q" * 16,
            "event": "inquire",
            "at": AT,
            "requester": PARTNER,
            "requester_name": "Team",
            "summary": PLAIN,
            "support": PLAIN,
            "details": {},
            **dict.fromkeys(
                ("findings", "pointers", "fields_asked", "fields_given", "withheld"), ()
            ),
            "proofs": proofs,
            **card,
        }
        page = AccessLog(
            v=1, rid=RID, checkpoint=self.note, cards=(AccessCard.model_validate(members),)
        )
        return page.model_dump_json().encode()


def test_a_card_that_stands_in_the_log_is_shown() -> None:
    log = Log(build_payload())
    page, checkpoint = verify_own_log(log.build_page(), RID, log.entry)
    assert (len(page.cards), checkpoint.size) == (1, 2)


@pytest.mark.parametrize(
    "card",
    [
        {"event": "release"},
        {"requester": "00000099000000001000:income"},
        {"rid": b"z" * 16},
        {"at": datetime(2026, 3, 2, 9, 1, tzinfo=UTC)},
        {"proofs": ()},
    ],
)
def test_a_card_that_says_something_else_than_its_entry_is_refused(card: dict[str, Any]) -> None:
    log = Log(build_payload())
    with pytest.raises(OwnLogError):
        verify_own_log(log.build_page(**card), RID, log.entry)


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
        verify_own_log(log.build_page(proof=proof), RID, log.entry)


def test_another_log_another_answer_and_garbage_are_refused() -> None:
    log, other = Log(build_payload()), Log(build_payload())
    with pytest.raises(ProtocolError):
        verify_own_log(log.build_page(), RID, other.entry)
    with pytest.raises(OwnLogError):
        verify_own_log(log.build_page(), b"z" * 16, log.entry)
    with pytest.raises(AnswerFormError):
        verify_own_log(b"{}", RID, log.entry)


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
    page, _ = verify_own_log(log.build_page(told_later_at=AT), RID, log.entry)
    assert page.cards[0].event == "inquire"


def test_an_opened_entry_with_another_earlier_half_is_refused() -> None:
    log = Log(build_reopened(core=encode_bytes(b"another core")))
    with pytest.raises(OwnLogError):
        verify_own_log(log.build_page(), RID, log.entry)
    assert json.loads(log.payload)["event"] == "opened"
