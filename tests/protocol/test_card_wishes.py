"""What a card says of a wish and of an answer: which it was, in whose words, with the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datwat.protocol.access_log import EntryProof, Sentence
from datwat.protocol.card_data import read_all_told
from datwat.protocol.card_sentences import build_told_sentences
from datwat.protocol.texts import Texts
from datwat.protocol.values import encode_bytes

_BASE: dict[str, Any] = {
    "v": 1,
    "at": "2026-03-02T09:00:00Z",
    "rid": encode_bytes(b"q" * 16),
    "requester": {"id": "00000099000000001000:portal", "name": "Mijn portaal"},
    "notice": "now",
}
_BLOCKED = {"id": "00000099000000002000:school", "name": "De school"}


def say(event: str, detail: dict[str, Any]) -> Sentence:
    payload = json.dumps({**_BASE, "event": event, "detail": detail}).encode()
    proof = EntryProof(
        index=7, path=(), audience="own", tag=b"t" * 32, core=b"", salt=b"s" * 32, payload=payload
    )
    return build_told_sentences(read_all_told([proof]), Texts({"nl": {}, "en": {}}), {}).summary


@pytest.mark.parametrize(
    ("detail", "nl", "en"),
    [
        ({"blocks": _BLOCKED}, "niet mag kijken: De school.", "may not look: De school."),
        ({"question": "Waarom {who}?"}, "vraag gesteld: Waarom {who}?", "Waarom {who}?"),
        ({"shields": True}, "uw adres af te schermen", "your address be shielded"),
        ({"lifts": 5}, "regel 5 van dit", "entry 5 of this"),
        ({"withdraws": 6}, "toestemming van regel 6", "consent of entry 6"),
        ({"consent": {"purpose": "x"}}, "toestemming gegeven", "gave consent"),
        ({"objection_id": "x"}, "bezwaar gemaakt", "objected"),
        ({"erases": 3}, "uw wens vastgelegd", "recorded your wish"),
    ],
)
def test_a_wish_says_which_it_was(detail: dict[str, Any], nl: str, en: str) -> None:
    said = say("wish", detail)
    assert nl in said.nl
    assert en in said.en
    assert "Mijn portaal" in said.nl


@pytest.mark.parametrize(
    ("detail", "nl", "en"),
    [
        ({}, ("vraag van regel 4", "Omdat het zo is."), ("question of entry 4",)),
        ({"outcome": "upheld", "remedy": "court"}, ("blijft gelden", "rechter"), ("court",)),
        (
            {"outcome": "rejected", "remedy": "administrative"},
            ("afgewezen", "zes weken bezwaar"),
            ("rejected", "object with"),
        ),
        ({"outcome": "rejected"}, ("afgewezen",), ("rejected",)),
    ],
)
def test_an_answer_says_what_was_decided_and_what_one_can_do(
    detail: dict[str, Any], nl: tuple[str, ...], en: tuple[str, ...]
) -> None:
    said = say("answered", {"answers": 4, "answer": "Omdat het zo is.", **detail})
    assert all(each in said.nl for each in nl), said.nl
    assert all(each in said.en for each in en), said.en
