"""A release is opened only if the source signed it, for this order, about this person."""

# ruff: noqa: ANN401 - members of objects are of any type here
from __future__ import annotations

from typing import Any

import pytest

from connectors.client.opening import OpenedRelease, open_release
from connectors.client.verification import verify_answer
from connectors.errors import AnswerMessageError
from datwat.party.trust_list import AcceptedList, Directory, IssuerUnknownError
from datwat.protocol.envelope import (
    EnvelopeCoreError,
    EnvelopeExtraError,
    EnvelopeKeyError,
    EnvelopeMissingError,
    seal_envelope,
)
from datwat.protocol.errors import DatwatError
from datwat.protocol.jws import MessageKeyError
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.signing import MessageAudienceError, MessageExpiredError, MessageTypeError
from datwat.protocol.values import encode_bytes
from tests.connectors.client.written import Log, build_request, release_part, to_bytes
from tests.party.covenant import BROKER_ID, TestCovenant, build_member, now

BSN, OTHER_BSN = "999990019", "999993653"
SOURCE, OTHER = build_member(2, "register"), build_member(3)
DIRECTORY = Directory(
    AcceptedList(document=b"", digest=bytes(32), trust=TestCovenant((SOURCE, OTHER)).build())
)
CORE_HASH = b"\7" * 32
VALUES = {"status": "lopend", "start": None}
SIZES = {"status": 64, "start": 64, "extra": 64}


def release(
    *,
    values: dict[str, Any] | None = None,
    signer: Any = SOURCE,
    source: str = SOURCE.id,
    bsn: str | None = BSN,
    subject: str | None = BSN,
    reply_key: ExchangeKey | None = None,
    core_hash: bytes = CORE_HASH,
    **changes: Any,
) -> OpenedRelease:
    """Seal, sign, answer and open; every argument changes one thing on the way."""
    key = ExchangeKey.generate()
    extra = {
        "purpose": {"id": "debt_counselling", "digest": "a" * 64},
        "source": SOURCE.id,
        "product": "jeugdhulp",
        "fields": ["status", "start"],
        "reply_key": encode_bytes(key.public.raw),
    }
    sent = build_request("release", 1, extra)
    sealed_to = (reply_key or key).public
    body = seal_envelope(core_hash, sealed_to, values or VALUES, SIZES, subject)
    message = signer.sign(
        {**body.model_dump(mode="json"), "type": "envelope", "aud": BROKER_ID},
        **{"rid": encode_bytes(sent.rid), **changes},
    )
    log = Log()
    part = release_part(fields=("start", "status"))
    answer = log.answer(sent, [part], envelope=message.to_bytes(), core_hash=CORE_HASH)
    verified = verify_answer(to_bytes(answer), sent, log.pinned)
    return open_release(
        verified,
        sent,
        source=source,
        recipient=key,
        directory=DIRECTORY,
        now=now(),
        bsn=bsn,
    )


def test_what_was_released_is_opened() -> None:
    opened = release()
    assert opened.values == VALUES
    assert opened.is_person is True
    assert "lopend" not in repr(opened)


def test_a_stranger_is_told_apart_and_no_number_is_no_verdict() -> None:
    assert release(subject=OTHER_BSN).is_person is False
    assert release(subject=None).is_person is False
    assert release(bsn=None).is_person is None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"signer": OTHER}, MessageKeyError),
        ({"source": "00000099000000000009:nobody"}, IssuerUnknownError),
        ({"rid": encode_bytes(bytes(16))}, AnswerMessageError),
        ({"type": "order"}, MessageTypeError),
        ({"aud": OTHER.id}, MessageAudienceError),
        ({"iat": "2026-01-01T00:00:00Z"}, MessageExpiredError),
        ({"core_hash": b"\1" * 32}, EnvelopeCoreError),
        ({"values": {"status": "lopend"}}, EnvelopeMissingError),
        ({"values": {**VALUES, "extra": "more"}}, EnvelopeExtraError),
        ({"reply_key": ExchangeKey.generate()}, EnvelopeKeyError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_everything_else_is_refused(change: dict[str, Any], error: type[DatwatError]) -> None:
    with pytest.raises(error):
        release(**change)
