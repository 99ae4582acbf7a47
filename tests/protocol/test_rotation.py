"""What key holder and broker say of a rotation opens for these two and this question alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datwat.protocol import group
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.rotation import (
    Rotation,
    RotationSealError,
    derive_rotation_key,
    open_rotation,
    seal_rotation,
)
from datwat.protocol.sealing import seal
from datwat.protocol.ticket import derive_ticket_key

HOLDER, BROKER = ExchangeKey.generate(), ExchangeKey.generate()
KEY = derive_rotation_key(HOLDER, holder=HOLDER.public, broker=BROKER.public)
RID = b"r" * 16
DELTA = group.random_scalar()
TURN = Rotation(v=1, state="turn", leaving=1, current=2, delta=DELTA)
SAID = [TURN, Rotation(v=1, state="none"), Rotation(v=1, state="ended", current=2)]


@pytest.mark.parametrize("said", SAID)
def test_it_opens_for_the_broker(said: Rotation) -> None:
    other = derive_rotation_key(BROKER, holder=HOLDER.public, broker=BROKER.public)
    assert open_rotation(seal_rotation(said, RID, KEY), RID, other) == said


def test_it_opens_for_no_other_question_and_no_other_key() -> None:
    sealed = seal_rotation(TURN, RID, KEY)
    ticket_key = derive_ticket_key(HOLDER, holder=HOLDER.public, broker=BROKER.public).secret
    stranger = ExchangeKey.generate()
    wrong = derive_rotation_key(stranger, holder=stranger.public, broker=BROKER.public)
    for rid, key in ((b"s" * 16, KEY), (RID, ticket_key), (RID, wrong)):
        with pytest.raises(RotationSealError):
            open_rotation(sealed, rid, key)
    with pytest.raises(ValueError, match="own key"):
        derive_rotation_key(stranger, holder=HOLDER.public, broker=BROKER.public)


@given(st.data())
def test_no_byte_of_it_may_change(data: st.DataObject) -> None:
    sealed = bytearray(seal_rotation(TURN, RID, KEY))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RotationSealError):
        open_rotation(bytes(sealed), RID, KEY)


@pytest.mark.parametrize(
    "members",
    [
        {"state": "turn", "leaving": 1, "current": 2, "delta": None},
        {"state": "turn", "leaving": None, "current": 2},
        {"state": "ended", "leaving": None, "current": None, "delta": None},
        {"state": "none", "leaving": None, "current": 1, "delta": None},
        {"state": "over", "leaving": None, "current": None, "delta": None},
        {"state": "turn", "leaving": 0, "current": 2},
        {"state": "turn", "leaving": 1, "current": 2, "more": 1},
    ],
)
def test_another_form_is_refused(members: dict[str, object]) -> None:
    whole = {"v": 1, **TURN.model_dump(mode="json"), **members}
    sealed = seal(KEY, encode_canonical(whole), b"dw-rotation/v1\0" + RID)
    with pytest.raises(RotationSealError):
        open_rotation(sealed, RID, KEY)


def test_delta_stands_in_no_repr() -> None:
    assert str(DELTA) not in repr(TURN)
    assert DELTA.hex() not in repr(TURN)
