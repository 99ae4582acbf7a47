"""Nonsense over HTTP at every party: a problem with code and place, never the value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from connectors.client.outgoing import Person, build_envelope_members, draw_rid
from datwat.protocol import group
from datwat.protocol.acts import Statement
from datwat.protocol.keys import SigningKey
from datwat.protocol.signing import build_message
from datwat.protocol.values import encode_bytes, encode_moment
from tests.connectors.client.bsns import BSNS
from tests.faults.world import (
    MARKER,
    NOOR,
    Direct,
    FaultCovenant,
    Seen,
    build_registers,
    open_child,
    sign_again,
)
from tests.parties import Party
from tests.party.covenant import now

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-asked")]

JSON = "application/json"
ENDS = "persons[0].ends"
IDENTITY = "persons[0].identity"
ROLE = "statement.professional.role"
HOUR = timedelta(hours=1)
AHEAD, LATE = timedelta(seconds=45), timedelta(seconds=-110)


@dataclass(frozen=True)
class Place:
    """Where nonsense is sent: a valid body of it, and the headers that belong."""

    party: Party
    path: str
    body: bytes
    headers: dict[str, str]

    def post(self, body: bytes, kind: str = JSON) -> httpx.Response:
        url = self.party.url("local" if self.path.startswith("/local") else "api") + self.path
        headers = {"Content-Type": kind, **self.headers}
        with httpx.Client(trust_env=False, timeout=20) as client:
            return client.post(url, content=body, headers=headers)


@pytest.fixture(scope="module")
def child(asked: FaultCovenant) -> Seen:
    with Direct(asked, "social-team") as team:
        return open_child(team, BSNS[0])


@pytest.fixture
def unchanged(asked: FaultCovenant) -> Iterator[None]:
    """Fail unless every table of every party has the rows that it had, and no log the marker."""
    before = asked.count_rows()
    yield
    assert asked.count_rows() == before
    assert asked.find_marker() == []


def build_inquiry(team: Direct, child: Seen) -> bytes:
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": team.purpose(), "rung": "dat"}
    return team.build("inquire", [Person(handle=child.handle)], statement, **extra).wire


def build_look_up(team: Direct, **changes: object) -> bytes:
    element = group.multiply_base(group.random_scalar())
    return team.build_lookup_message([element], "inquire", draw_rid(), **changes).to_bytes()


def load_broker_key(covenant: FaultCovenant) -> SigningKey:
    path = covenant.broker.home / "secrets" / "signing.jwk"
    return SigningKey.from_jwk_text(path.read_text(encoding="ascii"))


def build_from_broker(covenant: FaultCovenant, kind: str, **changes: object) -> bytes:
    source = covenant.partners["youth-help"].id
    members = build_envelope_members(kind, covenant.broker.id, source, now(), draw_rid())
    members |= {"has_statement": False, "has_ticket": False, **changes}
    return build_message(members, (), load_broker_key(covenant)).to_bytes()


def build_local() -> bytes:
    professional = {"id": "noor", "role": "regisseur"}
    clients = [{"client": "S-1"}]
    return json.dumps(
        {"professional": professional, "clients": clients, "purpose": "coordinate_family_help"}
    ).encode()


def find_place(name: str, covenant: FaultCovenant, team: Direct, child: Seen) -> Place:
    source, own = covenant.partners["youth-help"], covenant.partners["social-team"]
    match name:
        case "key holder":
            return Place(covenant.key_holder, "/v1/evaluations", build_look_up(team), {})
        case "broker":
            return Place(covenant.broker, "/v1/inquiries", build_inquiry(team, child), {})
        case "orders":
            order = build_from_broker(covenant, "order")
            wire = json.dumps({"v": 1, "message": encode_bytes(order)}).encode()
            return Place(source, "/v1/orders", wire, {})
        case "deliveries":
            body = build_from_broker(covenant, "contact_request")
            return Place(source, "/v1/contact-deliveries", body, {})
        case "notices":
            return Place(source, "/v1/notices", build_from_broker(covenant, "ended"), {})
    headers = {"Authorization": f"Bearer {own.token}"}
    return Place(own, "/local/v1/inquiries", build_local(), headers)


PLACES = ("key holder", "broker", "orders", "deliveries", "notices", "local")


def require_problem(
    answer: httpx.Response, status: int, code: str, place: str | None = None
) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("place") == place
    assert answer.json()["status"] == status
    assert MARKER not in answer.text


@pytest.mark.parametrize("name", PLACES)
def test_what_is_no_clean_json_is_refused_before_anything_is_read(
    asked: FaultCovenant, asked_team: Direct, child: Seen, name: str, unchanged: None
) -> None:
    place = find_place(name, asked, asked_team, child)
    body, marker = place.body, MARKER.encode()
    rest = body[1:]
    first = body[1 : body.index(b":")]
    faults = {
        "json_malformed": b'{"%b": "%b", %b' % (marker, marker, rest[:-1]),
        "json_duplicate_key": b'{%b:"%b",%b' % (first, marker, rest),
        "json_float": b'{"%b":NaN,%b' % (marker, rest),
        "json_lone_surrogate": b'{"%b":"%b\\ud800",%b' % (marker, marker, rest),
        "json_not_utf8": b'{"%b":"\xff",%b' % (marker, rest),
    }
    for code, wrong in faults.items():
        answer = place.post(wrong)
        where = answer.json().get("place")
        assert (where is not None) == (code == "json_malformed")  # at which character
        require_problem(answer, 400, code, where)
    large = b'{"%b":"%b",%b' % (marker, marker * 120_000, rest)
    require_problem(place.post(large), 413, "body_too_large")
    for kind in ("text/plain", "application/xml", f"application/json; charset={MARKER}"):
        require_problem(place.post(body, kind), 415, "media_type")
    unknown = place.post(b'{"%b":"%b",%b' % (marker, marker, rest))
    expected = {"local": ("input_invalid", "$"), "orders": ("order_form", None)}
    require_problem(unknown, 400, *expected.get(name, ("message_form", None)))


def test_a_signed_object_that_is_wrong_is_told_by_place(
    asked: FaultCovenant, asked_team: Direct, child: Seen, unchanged: None
) -> None:
    key, marker = asked_team.key, MARKER.encode()
    naive = "2026-01-31T12:00:00"
    cases = (
        (b'"aud":', b'"zzz":"%b","aud":' % marker, "message_object", None),
        (b'"aud":', b'"aud":"%b","aud":' % marker, "message_object", None),
        (b'"v":1', b'"v":NaN', "message_object", None),
        (b'"aud":', b'"aaa":"%b","aud":' % marker, "input_invalid", "$"),
        (b'"type":"', b'"type":"%b' % marker, "message_type", "type"),
        (b'"iss":"', b'"iss":"%b\\u0007' % marker, "message_issuer", "iss"),
        (b'"v":1', b'"v":2', "message_version", "v"),
    )
    for party, path, wire in (
        (asked.broker, "/v1/inquiries", build_inquiry(asked_team, child)),
        (asked.key_holder, "/v1/evaluations", build_look_up(asked_team)),
    ):
        for old, new, code, place in cases:
            wrong = sign_again(wire, key, of_object=partial(put, old, new))
            status = 403 if code == "message_issuer" else 400
            require_problem(asked_team.post(party, path, wrong), status, code, place)
        for text in (naive, naive + "+01:00", MARKER):
            wrong = sign_again(wire, key, of_object=partial(set_time, text))
            require_problem(asked_team.post(party, path, wrong), 400, "message_time", "iat")


def put(old: bytes, new: bytes, raw: bytes) -> bytes:
    assert old in raw
    return raw.replace(old, new, 1)


def set_time(text: str, raw: bytes) -> bytes:
    begin = raw.index(b'"iat":"') + 7
    return raw[:begin] + text.encode() + raw[raw.index(b'"', begin) :]


def test_a_part_that_is_wrong_is_told_by_place(
    asked: FaultCovenant, asked_team: Direct, child: Seen, unchanged: None
) -> None:
    wire, marker = build_inquiry(asked_team, child), MARKER.encode()
    statement, person = 0, 1
    cases = (
        (statement, b'"role":"', b'"role":"%b\\u0007' % marker, "input_invalid", ROLE),
        (statement, b'"role":"', b'"role":"%b\xe2\x80\xae' % marker, "input_invalid", ROLE),
        (statement, b'{"occ', b'{"aaa":"%b","occ' % marker, "input_invalid", "statement"),
        (person, b'{"person"', b'{"aaa":"%b","person"' % marker, "input_invalid", "persons[0]"),
        (person, b'{"person"', b'{"identity":"%b","person"' % marker, "input_invalid", IDENTITY),
        (person, b'{"person"', b'{"ends":"moved","person"', "member_not_allowed", ENDS),
        (person, b'{"person"', b'{"person":"%b","person"' % marker, "json_duplicate_key", None),
        (person, b'{"person"', b'{"aaa":NaN,"person"', "json_float", None),
        (person, b'{"person"', b'{"aaa":"\\ud800","person"', "json_lone_surrogate", None),
        (person, b'{"person"', b'{ "person"', "json_not_canonical", None),
    )  # fmt: skip
    for part, old, new, code, place in cases:
        wrong = sign_again(wire, asked_team.key, of_parts={part: partial(put, old, new)})
        require_problem(asked_team.post(asked.broker, "/v1/inquiries", wrong), 400, code, place)


def test_a_naive_time_in_a_registration_is_told_by_place(
    asked: FaultCovenant, unchanged: None
) -> None:
    with Direct(asked, "youth-help") as source:
        members = {"registers": build_registers(), "identity": "document"}
        wire = source.build(
            "register", [Person(handle=bytes(16), members=members)], Statement(professional=NOOR)
        ).wire

        def make_naive(raw: bytes) -> bytes:
            return raw.replace(b'Z"', b'"', 1)

        wrong = sign_again(wire, source.key, of_parts={1: make_naive})
        answer = source.post(asked.broker, "/v1/registrations", wrong)
    require_problem(answer, 400, "input_invalid", "persons[0].registers.since_at")


@pytest.mark.parametrize(
    ("shift", "code"),
    [(AHEAD, "message_ahead"), (LATE, "message_expired"), (-HOUR, "message_expired")],
)
@pytest.mark.usefixtures("unchanged")
def test_a_clock_that_is_off_is_refused_everywhere(
    asked: FaultCovenant, asked_team: Direct, child: Seen, shift: timedelta, code: str
) -> None:
    at = now() + shift
    statement = Statement(professional=NOOR, occasion=child.occasion)
    extra: dict[str, Any] = {"purpose": asked_team.purpose(), "rung": "dat"}
    sent = asked_team.build("inquire", [Person(handle=child.handle)], statement, iat=at, **extra)
    require_problem(asked_team.send(sent), 400, code)
    look_up = build_look_up(asked_team, iat=encode_moment(at))
    answer = asked_team.post(asked.key_holder, "/v1/evaluations", look_up)
    require_problem(answer, 400, code)
    if shift == LATE:
        return  # what the broker relays may be ten minutes old: it is tried again
    source = asked.partners["youth-help"]
    for kind, path in (("ended", "/v1/notices"), ("contact_request", "/v1/contact-deliveries")):
        body = build_from_broker(asked, kind, iat=encode_moment(at))
        require_problem(asked_team.post(source, path, body), 400, code)


def test_local_input_is_told_by_place(asked: FaultCovenant, unchanged: None) -> None:
    own = asked.partners["social-team"]
    place = Place(own, "/local/v1/inquiries", b"", {"Authorization": f"Bearer {own.token}"})
    good = json.loads(build_local())
    cases = (
        ({"professional": {"id": "noor", "role": MARKER + "\x07"}}, "$.professional.role"),
        ({"professional": {"id": [MARKER], "role": "regisseur"}}, "$.professional.id"),
        ({"clients": [{"client": "S-1", MARKER: MARKER}]}, "$.clients[0]"),
        ({"clients": [{"client": "S-1", "birth_date": MARKER}]}, "$.clients[0].birth_date"),
        ({"clients": [{"client": MARKER + "\x00"}]}, "$.clients[0].client"),
        ({"rung": MARKER}, "$.rung"),
        ({"occasion": [MARKER]}, "$.occasion"),
    )  # fmt: skip
    for change, where in cases:
        answer = place.post(json.dumps({**good, **change}).encode())
        require_problem(answer, 400, "input_invalid", where)
    login = {"professional": {"id": MARKER + " x", "role": "regisseur"}}
    answer = place.post(json.dumps({**good, **login}).encode())
    require_problem(answer, 400, "staff_id_invalid", "$.professional.id")
    opens = {
        "professional": good["professional"],
        "occasion": "N-1",
        "opens": {
            "kind": "help_request",
            "team": "t",
            "handlers": [
                {"professional": "noor", "role": "coordinator", "from_at": "2026-01-31T12:00:00"}
            ],
        },
        "members": [{"client": "S-1", "role": "son", "source": "told"}],
    }
    opening = Place(own, "/local/v1/occasions", b"", place.headers)
    answer = opening.post(json.dumps(opens).encode())
    require_problem(answer, 400, "input_invalid", "$.opens.handlers[0].from_at")


def test_over_quota_nothing_is_evaluated(asked: FaultCovenant, unchanged: None) -> None:
    with Direct(asked, "school") as school:
        element = group.multiply_base(group.random_scalar())
        message = school.build_lookup_message([element] * 401, "inquire", draw_rid())
        answer = school.post(asked.key_holder, "/v1/evaluations", message.to_bytes())
    require_problem(answer, 429, "quota_exceeded")


def test_over_rate_is_told_and_others_are_heard(
    asked: FaultCovenant, asked_team: Direct, child: Seen, unchanged: None
) -> None:
    with Direct(asked, "school") as school:
        wire = school.build(
            "inquire",
            [Person(handle=bytes(16))],
            Statement(professional=NOOR),
            purpose=school.purpose(),
            rung="dat",
        ).wire
        answers = [school.post(asked.broker, "/v1/inquiries", wire)]
        while answers[-1].status_code != 429 and len(answers) < 400:
            answers.append(school.post(asked.broker, "/v1/inquiries", wire))
    assert {answer.json()["code"] for answer in answers} == {"handle_unknown", "rate_limited"}
    require_problem(answers[-1], 429, "rate_limited")
    statement = Statement(professional=NOOR, occasion=child.occasion)
    other = asked_team.build(
        "inquire", [Person(handle=bytes(16))], statement, purpose=asked_team.purpose(), rung="dat"
    )
    require_problem(asked_team.send(other), 403, "handle_unknown")
