"""Contact requests and notices: from the broker only, once, and with their proof."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.gateway.errors import ContactUnknownError
from connectors.gateway.evidence import list_orders
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.entry import derive_commit
from datwat.protocol.signing import build_message, build_part
from datwat.protocol.values import encode_bytes, encode_moment
from tests.connectors.gateway.world import CLIENT, World
from tests.protocol.order_world import BROKER, INVOLVEMENT, KEYS, OTHER, OWN, REQUESTER, Order

CONTACTS, NOTICES = "/v1/contact-deliveries", "/v1/notices"


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def message(
    kind: str, *contents: object, key: str = BROKER, rid: bytes = b"m" * 16, **changes: object
) -> bytes:
    members = {
        "v": 1,
        "type": kind,
        "iss": key,
        "aud": OWN,
        "iat": encode_moment(now()),
        "rid": encode_bytes(rid),
        "has_statement": False,
        "has_ticket": False,
        **changes,
    }
    parts = [build_part(encode_canonical(content)) for content in contents]
    return build_message(members, parts, KEYS[key]).to_bytes()


def delivery(**changes: object) -> dict[str, Any]:
    return {
        "contact_request": encode_bytes(b"c" * 16),
        "involvement": encode_bytes(INVOLVEMENT),
        "requester": REQUESTER,
        "call_back": {"role": "regisseur", "name": None, "phone": "010-1", "email": None},
        "asked_at": encode_moment(now()),
        "due_at": encode_moment(now() + timedelta(days=5)),
        "until_at": encode_moment(now() + timedelta(days=30)),
        **changes,
    }


async def test_a_contact_request_reaches_the_staff_once(world: World) -> None:
    body = message("contact_request", delivery())
    for _ in range(2):
        response = await world.send(CONTACTS, body)
        assert (response.status_code, response.content) == (204, b"")
    # Another message about the same request is no second one.
    await world.send(CONTACTS, message("contact_request", delivery(), rid=b"n" * 16))
    (wish,) = world.gateway.contacts.list_open(now())
    assert (wish.client, wish.requester, wish.state) == (CLIENT, REQUESTER, "new")
    assert wish.reference == b"c" * 16
    assert wish.call_back.phone == "010-1"


async def test_a_contact_request_goes_forward_and_ends(world: World) -> None:
    await world.send(CONTACTS, message("contact_request", delivery()))
    book = world.gateway.contacts
    number, late = book.list_open(now())[0].number, now() + timedelta(days=6)
    for is_seen in (False, True):
        wish = book.require(number, late)
        assert (wish.state, wish.is_seen) == ("overdue", is_seen)
        book.mark(number, "seen")
    assert book.require(number, now()).state == "seen"
    book.mark(number, "answered")
    book.mark(number, "seen")
    assert book.require(number, now() + timedelta(days=6)).state == "answered"
    assert book.list_open(now()) == []
    with pytest.raises(ContactUnknownError):
        book.require(number, now() + timedelta(days=31))
    with pytest.raises(ContactUnknownError):
        book.mark(number + 1, "seen")


async def test_a_request_about_an_unknown_involvement_is_kept_without_client(
    world: World,
) -> None:
    unknown = delivery(involvement=encode_bytes(b"?" * 16))
    await world.send(CONTACTS, message("contact_request", unknown))
    assert world.gateway.contacts.list_open(now())[0].client is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (lambda: message("contact_request", delivery(), key=OTHER), "not_from_broker"),
        (lambda: message("contact_request", delivery(), aud=OTHER), "message_audience"),
        (lambda: message("ended", delivery()), "message_type"),
        (lambda: message("contact_request", delivery(), iss=OTHER), "message_issuer"),
        (lambda: message("contact_request"), "delivery_form"),
        (lambda: message("contact_request", delivery(), delivery()), "delivery_form"),
        (lambda: message("contact_request", delivery(extra=1)), "delivery_form"),
        (
            lambda: message(
                "contact_request", delivery(), iat=encode_moment(now() - timedelta(minutes=2))
            ),
            "message_expired",
        ),
        (
            lambda: message(
                "contact_request", delivery(), iat=encode_moment(now() + timedelta(minutes=1))
            ),
            "message_ahead",
        ),
    ],
)
async def test_what_is_not_relayed_by_the_broker_now_is_refused(
    world: World, body: Callable[[], bytes], code: str
) -> None:
    response = await world.send(CONTACTS, body())
    assert response.json()["code"] == code
    assert world.gateway.contacts.list_open(now()) == []


async def test_a_rid_is_for_one_message(world: World) -> None:
    await world.send(CONTACTS, message("contact_request", delivery()))
    response = await world.send(CONTACTS, message("contact_request", delivery()))
    assert (response.status_code, response.json()["code"]) == (409, "rid_reused")


def ended(**changes: object) -> dict[str, Any]:
    return {
        "kind": "involvement",
        "reference": encode_bytes(INVOLVEMENT),
        "reason": "died",
        "ended_at": encode_moment(now()),
        **changes,
    }


@pytest.mark.parametrize("kind", ["ended", "annulled"])
async def test_an_involvement_that_ended_is_not_ordered_on(world: World, kind: str) -> None:
    assert (await world.send(NOTICES, message(kind, ended()))).status_code == 204
    response = await world.order(Order())
    assert response.json()["code"] == "order_involvement_unknown"


async def test_an_order_told_later_is_in_no_list_until_it_opens(world: World) -> None:
    order = Order(core={"notice": "later"})
    assert (await world.order(order)).status_code == 200
    index = len(world.log.leaves) - 1
    assert list_orders(world.engine) == []

    def opening(commit: bytes, kind: str = "opened") -> dict[str, Any]:
        core = encode_canonical(
            {"v": 1, "type": kind, "index": index, "commit": encode_bytes(commit)}
        )
        place = world.log.add(core, bytes(32), b"o" * 32)
        return {
            "core": encode_bytes(core),
            "payload_hash": encode_bytes(bytes(32)),
            "tag": encode_bytes(b"o" * 32),
            "receipt": world.log.receipt(place),
            "checkpoint": world.log.note(),
        }

    commit = derive_commit(order.core_bytes, order.payload_hash)
    forged = opening(commit) | {"tag": encode_bytes(bytes(32))}
    cases = [
        (forged, "receipt_invalid"),
        (opening(bytes(32)), "notice_core"),
        (opening(commit, "act"), "notice_core"),
    ]
    for number, (content, code) in enumerate(cases):
        body = message("opened", content, rid=bytes([number]) * 16)
        assert (await world.send(NOTICES, body)).json()["code"] == code
        assert list_orders(world.engine) == []
    assert (await world.send(NOTICES, message("opened", opening(commit)))).status_code == 204
    (taken,) = list_orders(world.engine)
    assert taken.core_hash == hashlib.sha256(order.core_bytes).digest()
    assert (taken.requester, taken.outcome, taken.log_index) == (REQUESTER, "released", index)


async def test_orders_told_now_are_listed_newest_first(world: World) -> None:
    await world.order(Order())
    world.run(("DELETE FROM dossiers", ()))
    await world.order(Order(rid=b"z" * 16))
    outcomes = [taken.outcome for taken in list_orders(world.engine)]
    assert outcomes == ["source_has_no_record", "released"]
