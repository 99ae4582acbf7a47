"""The ticket: genuine, fresh, for this very message, and under the one published key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from datwat.protocol import blinding, group
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.freshness import RESUME_AGE
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.sealing import seal
from datwat.protocol.ticket import (
    OpenedTicket,
    TicketHeader,
    TicketUse,
    derive_ticket_key,
    open_ticket,
    parse_ticket_header,
    seal_ticket,
)
from datwat.protocol.ticket_errors import TicketError

HOLDER, BROKER, OTHER = (ExchangeKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3))
KEY = derive_ticket_key(HOLDER, holder=HOLDER.public, broker=BROKER.public)
KEYS = {KEY.kid: KEY}
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
USE = TicketUse("00000001234567890000:wijkteam", "inquire", b"r" * 16, 2)
SECRET = group.random_scalar()
EPOCHS = {3: group.multiply_base(SECRET)}
BLINDED = [blinding.blind(bsn) for bsn in ("999990019", "999993653")]
ALPHAS = [alpha for _, alpha in BLINDED]
MADE = blinding.evaluate(SECRET, ALPHAS)


def header(**changes: object) -> TicketHeader:
    made = TicketHeader.build(USE, key=KEY, epoch=3, iat=NOW, public=MADE.one_time_public)
    return made.model_copy(update=changes)


def ticket(scalar: bytes = MADE.one_time_scalar, **changes: object) -> bytes:
    return seal_ticket(header(**changes), scalar, KEY)


def opened(raw: bytes, use: TicketUse = USE, now: datetime = NOW) -> OpenedTicket:
    return open_ticket(raw, KEYS, use=use, epoch_keys=EPOCHS, now=now)


def refusal(raw: bytes, use: TicketUse = USE, now: datetime = NOW) -> str:
    with pytest.raises(TicketError) as caught:
        opened(raw, use, now)
    return caught.value.code


def test_a_ticket_takes_the_one_time_key_off_its_elements() -> None:
    fits = opened(ticket())
    assert fits.header == header()
    for (r, _), beta, bsn in zip(BLINDED, MADE.elements, ("999990019", "999993653"), strict=True):
        point = fits.derive_point(blinding.unblind(r, beta))
        element = blinding.hash_to_element(b"NL:BSN:" + bsn.encode())
        assert point == group.multiply(SECRET, element)
    assert parse_ticket_header(ticket()) == header()


def test_both_sides_derive_one_key_and_nobody_else_does() -> None:
    of_broker = derive_ticket_key(BROKER, holder=HOLDER.public, broker=BROKER.public)
    assert of_broker == KEY
    swapped = derive_ticket_key(HOLDER, holder=BROKER.public, broker=HOLDER.public)
    other = derive_ticket_key(HOLDER, holder=HOLDER.public, broker=OTHER.public)
    assert len({KEY.kid, swapped.kid, other.kid}) == 3
    assert len({KEY.secret, swapped.secret, other.secret}) == 3
    with pytest.raises(ValueError, match="neither"):
        derive_ticket_key(OTHER, holder=HOLDER.public, broker=BROKER.public)


def test_secrets_show_in_no_repr() -> None:
    assert "secret" not in repr(KEY)
    assert "inverse" not in repr(opened(ticket()))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"partner": "00000001234567890001:wijkteam"}, "ticket_partner"),
        ({"partner": "00000001234567890000:handhaving"}, "ticket_partner"),
        ({"ticket_class": "register"}, "ticket_class"),
        ({"ticket_class": "self"}, "ticket_class"),
        ({"rid": b"x" * 16}, "ticket_rid"),
        ({"n": 1}, "ticket_elements"),
        ({"n": 3}, "ticket_elements"),
    ],
)
def test_a_ticket_for_another_message_is_refused(change: dict[str, Any], code: str) -> None:
    assert refusal(ticket(), replace(USE, **change)) == code


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(90, None), (91, "ticket_expired"), (-30, None), (-31, "ticket_ahead")],
)
def test_time_has_two_sharp_edges(seconds: int, code: str | None) -> None:
    now = NOW + timedelta(seconds=seconds)
    if code is None:
        opened(ticket(), now=now)
    else:
        assert refusal(ticket(), now=now) == code


def test_a_message_that_was_admitted_is_resumed_for_ten_minutes() -> None:
    now = NOW + timedelta(minutes=9)
    open_ticket(ticket(), KEYS, use=USE, epoch_keys=EPOCHS, now=now, max_age=RESUME_AGE)


def test_another_scalar_for_one_partner_is_refused() -> None:
    # The proof holds for the pkT that a cheating key holder names: only the pinned epoch key tells.
    made = blinding.evaluate(group.random_scalar(), ALPHAS)
    blinding.require_proof(made.one_time_public, ALPHAS, made.elements, made.proof)
    cheated = ticket(made.one_time_scalar, public=made.one_time_public)
    assert refusal(cheated) == "ticket_evaluation_key"
    assert refusal(ticket(public=made.one_time_public)) == "ticket_evaluation_key"
    assert refusal(ticket(made.one_time_scalar)) == "ticket_evaluation_key"
    assert refusal(ticket(public=bytes(32))) == "ticket_evaluation_key"
    assert refusal(ticket(public=b"\xff" * 32)) == "ticket_evaluation_key"


def test_an_epoch_that_is_not_in_force_is_refused() -> None:
    assert refusal(ticket(epoch=2)) == "ticket_epoch"


@pytest.mark.parametrize("number", [0, group.ORDER, group.ORDER + 5, 2**256 - 1])
def test_a_one_time_key_outside_the_group_order_is_refused(number: int) -> None:
    raw = header().to_bytes()
    sealed = seal(KEY.secret, number.to_bytes(32, "little"), raw)
    assert refusal(len(raw).to_bytes(2, "big") + raw + sealed) == "ticket_scalar"
    with pytest.raises(group.ScalarError):
        seal_ticket(header(), number.to_bytes(32, "little"), KEY)


def test_a_ticket_that_the_key_holder_did_not_make_is_forged() -> None:
    raw = header().to_bytes()
    of_another = derive_ticket_key(OTHER, holder=OTHER.public, broker=BROKER.public)
    sealed = seal(of_another.secret, MADE.one_time_scalar, raw)
    assert refusal(len(raw).to_bytes(2, "big") + raw + sealed) == "ticket_forged"
    # The content of one ticket under the header of another.
    other = header(rid=b"x" * 16).to_bytes()
    moved = len(other).to_bytes(2, "big") + other + ticket()[-60:]
    assert refusal(moved, replace(USE, rid=b"x" * 16)) == "ticket_forged"
    honest = header(kid=of_another.kid)
    assert refusal(seal_ticket(honest, MADE.one_time_scalar, of_another)) == "ticket_key_unknown"
    with pytest.raises(ValueError, match="another key"):
        seal_ticket(honest, MADE.one_time_scalar, KEY)


@given(st.data())
def test_no_byte_of_a_ticket_may_change(data: st.DataObject) -> None:
    changed = bytearray(ticket())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    assert refusal(bytes(changed)) in {"ticket_form", "ticket_key_unknown", "ticket_forged"}


MEMBERS = header().model_dump(mode="json")


@pytest.mark.parametrize(
    "raw",
    [
        encode_canonical({**MEMBERS, "v": 2}),
        encode_canonical({**MEMBERS, "class": "release"}),
        encode_canonical({**MEMBERS, "n": 0}),
        encode_canonical({**MEMBERS, "n": 1_001}),
        encode_canonical({**MEMBERS, "iat": "2026-03-01T12:00:00"}),
        encode_canonical({**MEMBERS, "extra": 1}),
        encode_canonical({**{k: v for k, v in MEMBERS.items() if k != "pkT"}, "public": "AAAA"}),
        encode_canonical(MEMBERS).replace(b",", b", ", 1),
        encode_canonical(MEMBERS)[:-1] + b',"v":1}',
        b"[]",
        b"",
    ],
)
def test_a_header_of_another_form_is_refused_although_genuine(raw: bytes) -> None:
    sealed = seal(KEY.secret, MADE.one_time_scalar, raw)
    assert refusal(len(raw).to_bytes(2, "big") + raw + sealed) == "ticket_form"


@pytest.mark.parametrize(
    "raw", [b"", b"\0", ticket()[:-1], ticket() + b"x", b"\xff\xff" + bytes(99)]
)
def test_what_has_not_the_length_of_a_ticket_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "ticket_form"
    with pytest.raises(TicketError):
        parse_ticket_header(raw)


def test_a_header_is_spelled_as_the_reference_says() -> None:
    assert set(MEMBERS) == {"v", "kid", "partner", "class", "epoch", "iat", "rid", "n", "pkT"}
    with pytest.raises(ValidationError):
        TicketHeader.build(replace(USE, n=0), key=KEY, epoch=3, iat=NOW, public=bytes(32))
