"""Orders at the gateway: the one that holds, and everything that must make a source refuse."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from datwat.protocol.canonical import encode_canonical
from datwat.protocol.envelope import subject_matches
from datwat.protocol.order import derive_about
from datwat.protocol.values import decode_bytes, encode_bytes, encode_moment
from tests.connectors.gateway.world import (
    CLIENT,
    DECLARATION,
    World,
    build_trust,
    open_answer,
    partner,
)
from tests.databases import read_whole
from tests.protocol.order_world import (
    BSN,
    FIELDS,
    ORIGIN,
    OTHER,
    OTHER_BSN,
    OWN,
    REQUESTER,
    LogStub,
    Order,
)


def code_of(response: httpx.Response) -> str:
    assert response.status_code >= 400
    return str(response.json()["code"])


async def test_an_order_that_holds_gives_just_its_fields(world: World) -> None:
    order = Order()
    response = await world.order(order)
    assert response.status_code == 200
    opened = open_answer(response.content, order)
    assert opened.values == {"regeling.status": "lopend", "totaal_schuld": "tot 5.000"}
    assert subject_matches(opened, BSN)
    assert not subject_matches(opened, OTHER_BSN)


async def test_the_subject_is_random_where_one_side_may_not_use_the_bsn(world: World) -> None:
    partners = (partner(OWN), partner(REQUESTER, bsn_rights=()))
    world.set_trust(build_trust(partners=partners))
    order = Order()
    response = await world.order(order)
    assert not subject_matches(open_answer(response.content, order), BSN)


async def test_the_same_order_gives_the_recorded_bytes_also_after_a_restart(world: World) -> None:
    order = Order()
    first = await world.order(order)
    wire = order.wire(world.log, len(world.log.leaves) - 1, held=len(world.log.leaves))
    assert (await world.post(wire)).content == first.content
    world.restart()
    world.system.unlink()  # nothing is read again
    assert (await world.post(wire)).content == first.content


async def test_two_equal_orders_at_once_give_one_answer(world: World) -> None:
    order = Order()
    index = order.log(world.log)
    wire = order.wire(world.log, index)
    answers = await asyncio.gather(*(world.post(wire) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


async def test_another_order_with_a_spent_rid_is_refused_also_after_a_restart(
    world: World,
) -> None:
    assert (await world.order(Order())).status_code == 200
    world.restart()
    other = Order(payload=b"another decision")
    assert code_of(await world.order(other)) == "rid_reused"


async def test_an_order_without_its_own_receipt_is_refused(world: World) -> None:
    order, other = Order(), Order(rid=b"s" * 16)
    index = order.log(world.log)
    elsewhere = other.log(world.log)
    wire = order.wire(world.log, index)
    without = {key: value for key, value in wire.items() if key != "receipt"}
    assert code_of(await world.post(without)) == "order_form"
    another = {**wire, "receipt": world.log.receipt(elsewhere)}
    assert code_of(await world.post(another)) == "receipt_invalid"
    outside = {**wire, "receipt": {**wire["receipt"], "index": 99}}
    assert code_of(await world.post(outside)) == "receipt_outside"
    assert (await world.post(wire)).status_code == 200


async def test_a_field_more_than_was_written_down_is_refused(world: World) -> None:
    written = Order()
    index = written.log(world.log)
    more = Order(core={"fields": [*FIELDS, "krediteur"]}, now=written.now)
    assert more.core_bytes != written.core_bytes
    narrower = Order(core={"fields": [FIELDS[0]]}, now=written.now)
    assert code_of(await world.post(narrower.wire(world.log, index))) == "receipt_invalid"
    # One that the purpose lets pass, so that only the receipt can refuse it.
    fewer = Order(core={"fields": [FIELDS[0]]}, now=written.now, rid=b"q" * 16)
    index = fewer.log(world.log)
    wire = Order(now=written.now, rid=b"q" * 16).wire(world.log, index)
    assert code_of(await world.post(wire)) == "receipt_invalid"


@pytest.mark.parametrize("kind", ["refusal", "inquiry", "act", "outcome"])
async def test_the_core_of_anything_but_a_permit_orders_nothing(world: World, kind: str) -> None:
    order = Order()
    members = {
        "v": 1,
        "type": kind,
        "request_hash": encode_bytes(hashlib.sha256(order.request_object).digest()),
        "person_hash": encode_bytes(bytes(32)),
        "answer_hash": encode_bytes(bytes(32)),
        "revision": "r1",
        "notice": "now",
    }
    order.order = {"core": encode_bytes(encode_canonical(members))}
    index = world.log.add(encode_canonical(members), order.payload_hash, order.tag)
    assert code_of(await world.post(order.wire(world.log, index))) == "order_core_type"


SOON = timedelta(seconds=45)
CHANGES: dict[str, tuple[Callable[[Order], object], str]] = {
    "signed by another than the broker": (
        lambda order: setattr(order, "order_key", REQUESTER),
        "message_key_unknown",
    ),
    "signed by a stranger": (
        lambda order: setattr(order, "order_key", "stranger"),
        "message_key_unknown",
    ),
    "for another source": (lambda order: order.order.update(aud=OTHER), "message_audience"),
    "of another type": (lambda order: order.order.update(type="envelope"), "message_type"),
    "of another version": (lambda order: order.order.update(v=7), "message_version"),
    "from another issuer": (lambda order: order.order.update(iss=OTHER), "message_issuer"),
    "an order that is too old": (
        lambda order: order.order.update(iat=encode_moment(order.now - timedelta(minutes=11))),
        "message_expired",
    ),
    "an order from the future": (
        lambda order: order.order.update(iat=encode_moment(order.now + SOON)),
        "message_ahead",
    ),
    "an order with an unknown member": (
        lambda order: order.order.update(extra=1),
        "order_object",
    ),
    "an order of another rid": (
        lambda order: order.order.update(rid=encode_bytes(b"x" * 16)),
        "order_other_rid",
    ),
    "a request signed by a stranger": (
        lambda order: setattr(order, "request_key", "stranger"),
        "message_key_unknown",
    ),
    "a request signed by the broker": (
        lambda order: setattr(order, "request_key", "00000099000000000001:broker"),
        "order_requester",
    ),
    "a request signed by another partner": (
        lambda order: setattr(order, "request_key", OTHER),
        "message_issuer",
    ),
    "a request to another": (lambda order: order.request.update(aud=OTHER), "message_audience"),
    "an inquiry": (lambda order: order.request.update(type="inquire"), "message_type"),
    "a request with an unknown member": (
        lambda order: order.request.update(extra=1),
        "order_request",
    ),
    "a request to another source": (
        lambda order: order.request.update(source=OTHER),
        "order_other_source",
    ),
    "a request too old for its core": (
        lambda order: order.request.update(iat=encode_moment(order.now - timedelta(minutes=2))),
        "order_request_late",
    ),
    "a request younger than its core": (
        lambda order: order.request.update(iat=encode_moment(order.now + SOON)),
        "order_request_ahead",
    ),
    "a core that is too old": (
        lambda order: (
            order.core.update(iat=encode_moment(order.now - timedelta(minutes=11))),
            order.request.update(iat=encode_moment(order.now - timedelta(minutes=11))),
        ),
        "order_expired",
    ),
    "a core from the future": (
        lambda order: (
            order.core.update(iat=encode_moment(order.now + SOON)),
            order.request.update(iat=encode_moment(order.now + SOON)),
        ),
        "order_ahead",
    ),
    "a core for another request": (
        lambda order: order.core.update(request_hash=encode_bytes(bytes(32))),
        "order_other_request",
    ),
    "a core about another involvement": (
        lambda order: order.core.update(about=encode_bytes(bytes(32))),
        "order_other_involvement",
    ),
    "another involvement beside it": (
        lambda order: setattr(order, "involvement", b"another-involve1"),
        "order_other_involvement",
    ),
    "a core without fields": (lambda order: order.core.update(fields=[]), "order_core_form"),
    "a field twice": (
        lambda order: order.core.update(fields=[FIELDS[0], FIELDS[0]]),
        "order_field_twice",
    ),
    "a field that was not asked": (
        lambda order: order.request.update(fields=[FIELDS[0]]),
        "order_field_unrequested",
    ),
    "a field outside the purpose": (
        lambda order: order.core.update(fields=[*FIELDS, "krediteur"]),
        "order_field_outside_purpose",
    ),
    "a product without an edge": (
        lambda order: order.request.update(product="jeugdhulp"),
        "order_edge_missing",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_each_step_refuses_with_its_own_code(world: World, name: str) -> None:
    order = Order()
    change, code = CHANGES[name]
    change(order)
    response = await world.order(order)
    assert code_of(response) == code
    assert response.headers["content-type"].startswith("application/problem+json")


async def test_a_field_outside_the_own_list_is_refused(world: World) -> None:
    lines = DECLARATION.format(path=world.system).splitlines()
    world.write_declaration("\n".join(line for line in lines if "totaal_schuld:" not in line))
    world.restart()
    assert code_of(await world.order(Order())) == "order_field_not_allowed"


@pytest.mark.parametrize(
    ("changes", "closed", "code"),
    [
        ({"covenant_until": Order().now - timedelta(days=1)}, frozenset(), "covenant_expired"),
        ({}, frozenset({REQUESTER}), "partner_suspended"),
    ],
)
async def test_a_requester_that_is_not_in_force_gets_nothing(
    world: World, changes: dict[str, Any], closed: frozenset[str], code: str
) -> None:
    partners = (partner(OWN), partner(REQUESTER, **changes))
    world.set_trust(build_trust(partners=partners), closed)
    assert code_of(await world.order(Order())) == code


async def test_nobody_is_heard_when_the_list_has_expired(world: World) -> None:
    world.set_trust(build_trust(valid_until=Order().now - timedelta(seconds=5)))
    assert code_of(await world.order(Order())) == "trust_list_expired"


async def test_a_flipped_byte_anywhere_in_the_receipt_is_refused(world: World) -> None:
    world.log = LogStub(40)
    order = Order()
    index = order.log(world.log)
    wire = order.wire(world.log, index)
    for place, step in enumerate(wire["receipt"]["path"]):
        for position in range(32):
            raw = bytearray(decode_bytes(step))
            raw[position] ^= 1
            path = [*wire["receipt"]["path"]]
            path[place] = encode_bytes(bytes(raw))
            changed = {**wire, "receipt": {"index": index, "path": path}}
            assert code_of(await world.post(changed)) == "receipt_invalid"
    moved = {**wire, "receipt": {**wire["receipt"], "index": index - 1}}
    assert code_of(await world.post(moved)) == "receipt_invalid"
    note = wire["checkpoint"]
    for position in range(len(note)):
        letter = "A" if note[position] != "A" else "B"
        changed = {**wire, "checkpoint": note[:position] + letter + note[position + 1 :]}
        assert (await world.post(changed)).status_code in (400, 403)
    assert (await world.post(wire)).status_code == 200


async def test_what_the_partner_withholds_stays(world: World) -> None:
    for text in (
        f"v: 1\nclients: ['{CLIENT}']\n",
        "v: 1\nproducts: [schuldregeling]\n",
        f"v: 1\nrequesters: ['{REQUESTER}']\n",
        "v: 1\nclients: [unreadable\n",
    ):
        world.withheld.write_text(text, encoding="utf-8")
        world.restart()
        response = await world.order(Order(payload=text.encode()))
        assert code_of(response) == "source_refuses"
        assert response.status_code == 403
    world.withheld.write_text("v: 1\nclients: [K-99]\n", encoding="utf-8")
    assert (await world.order(Order())).status_code == 200


async def test_an_involvement_that_is_not_ours_gives_nothing(world: World) -> None:
    strange = b"involvement-0002"
    order = Order(involvement=strange)
    order.core = {"about": encode_bytes(derive_about(order.rid, strange))}
    assert code_of(await world.order(order)) == "order_involvement_unknown"


@pytest.mark.parametrize(
    ("statement", "values", "code"),
    [
        ("DELETE FROM dossiers", (), "source_has_no_record"),
        ("DELETE FROM klanten", (), "source_has_no_record"),
        ("UPDATE dossiers SET bsn = ?", (OTHER_BSN,), "source_other_person"),
        ("UPDATE dossiers SET bsn = NULL", (), "source_other_person"),
        ("UPDATE klanten SET bsn = ?", (OTHER_BSN,), "source_other_person"),
        ("UPDATE dossiers SET st = 5", (), "source_answer_invalid"),
        ("UPDATE dossiers SET bedrag = 'veel'", (), "source_answer_invalid"),
        ("UPDATE dossiers SET bsn = '123456789'", (), "source_answer_invalid"),
        ("ALTER TABLE dossiers RENAME COLUMN bedrag TO schuld", (), "source_fields_differ"),
        ("DROP TABLE dossiers", (), "source_answer_invalid"),
    ],
)
async def test_a_source_that_fails_gives_a_typed_failure_and_nothing_else(
    world: World, statement: str, values: tuple[str, ...], code: str
) -> None:
    world.run((statement, values))
    order = Order()
    response = await world.order(order)
    assert code_of(response) == code
    assert BSN not in response.text
    assert OTHER_BSN not in response.text


async def test_after_a_failure_the_same_order_may_succeed(world: World) -> None:
    world.run(("UPDATE dossiers SET st = 5", ()))
    order = Order()
    index = order.log(world.log)
    wire = order.wire(world.log, index)
    assert code_of(await world.post(wire)) == "source_answer_invalid"
    world.run(("UPDATE dossiers SET st = 9", ()))
    response = await world.post(wire)
    assert open_answer(response.content, order).values["regeling.status"] == "beëindigd"


async def test_the_newest_of_two_records_counts_and_a_tie_is_refused(world: World) -> None:
    row = "INSERT INTO dossiers VALUES (?,?,?,?,?,?)"
    world.run((row, (CLIENT, BSN, 9, 9_000, "Bank Y", "01-05-2026")))
    order = Order()
    response = await world.order(order)
    assert open_answer(response.content, order).values["totaal_schuld"] == "meer"
    world.run((row, (CLIENT, BSN, 1, 1, "Bank Z", "01-05-2026")))
    assert code_of(await world.order(Order(rid=b"n" * 16))) == "source_answer_invalid"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"v":1,"v":1}', b'{"v":1.0}', b'{"v":"\xff"}']
)
async def test_what_is_not_an_order_is_refused(world: World, body: bytes) -> None:
    response = await world.send("/v1/orders", body)
    assert response.status_code == 400


async def test_what_is_kept_of_an_order_holds_no_value(world: World) -> None:
    await world.order(Order())
    raw = read_whole(world.url)
    for secret in (BSN.encode(), b"lopend", b"tot 5.000", b"Bank X", b"de Vries"):
        assert secret not in raw
    assert ORIGIN.encode() in raw
