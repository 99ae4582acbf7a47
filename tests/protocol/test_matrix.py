"""Every signed object at every reader: only who it is for accepts it, everybody else refuses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, get_args

import pytest
import pytest_asyncio

from broker.exchange.errors import EXCHANGE_PROBLEMS
from broker.policy.bundle import sign_archive
from datwat.party.problems import has_row
from datwat.protocol.bundle import BundleStatement
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import SignedDocument, sign_document
from datwat.protocol.jws import Signature
from datwat.protocol.messages import FailureCode
from datwat.protocol.signing import SignedMessage
from datwat.protocol.values import encode_bytes, encode_moment
from tests.protocol.matrix_readers import (
    READERS,
    find_accepting,
    read_bundle,
    read_checkpoint,
    read_everywhere,
    read_trust_list,
)
from tests.protocol.matrix_world import (
    MESSAGES,
    OBJECTS,
    PORTAL_ACTS,
    PORTAL_KEY,
    Matrix,
    moment,
)
from tests.protocol.order_world import BROKER, HOLDER, KEYS, OTHER, OWN, REQUESTER, LogStub

pytestmark = pytest.mark.asyncio(loop_scope="module")
RELAYED = ("contact_request", "opened", "annulled", "ended")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Matrix]:
    made = Matrix(tmp_path_factory.mktemp("matrix"))
    await made.make_envelope()
    yield made
    made.close()


async def read(matrix: Matrix, name: str, wire: bytes) -> set[str | None]:
    """Return what those who accept the object `name` say of `wire`."""
    return {await READERS[reader][0](matrix, wire) for reader in find_accepting(name)}


def is_documented(code: str) -> bool:
    return has_row(code) or code in EXCHANGE_PROBLEMS or code in get_args(FailureCode)


@pytest.mark.parametrize("name", OBJECTS)
async def test_only_who_it_is_for_accepts_it(matrix: Matrix, name: str) -> None:
    refusals = await read_everywhere(matrix, await matrix.make(name))
    assert READERS.keys() - refusals.keys() == find_accepting(name)
    assert all(map(is_documented, refusals.values())), refusals


async def test_every_object_has_a_reader_and_every_reader_an_object() -> None:
    assert all(find_accepting(name) for name in OBJECTS)
    assert {name for _, accepted in READERS.values() for name in accepted} == set(OBJECTS)


@pytest.mark.parametrize("name", MESSAGES)
async def test_nothing_but_an_order_is_one_inside_its_proofs(matrix: Matrix, name: str) -> None:
    _, wire, _ = await matrix.make_order()
    order = json.loads(wire)
    body = encode_canonical({**order, "message": encode_bytes(await matrix.make(name))})
    said = await READERS["gateway /v1/orders"][0](matrix, body)
    assert said in {"message_key_unknown", "message_type"}


@pytest.mark.parametrize("name", ["trust_list", "bundle"])
async def test_a_document_is_no_message(matrix: Matrix, name: str) -> None:
    document = SignedDocument.from_bytes(await matrix.make(name))
    (signature,) = document.signatures
    message = SignedMessage(
        object=document.payload,
        protected=signature.protected,
        signature=signature.signature,
        parts=(),
    )
    assert (await read_everywhere(matrix, message.to_bytes())).keys() == READERS.keys()


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_message_is_no_document_even_under_the_covenants_keys(
    matrix: Matrix, name: str
) -> None:
    """The signature of a message is over the same input as that of a document."""
    message = SignedMessage.from_bytes(await matrix.make(name))
    own = Signature(protected=message.protected, signature=message.signature)
    moved = SignedDocument(payload=message.object, signatures=(own,))
    assert (await read_everywhere(matrix, moved.to_bytes())).keys() == READERS.keys()
    anew = sign_document(message.object, [KEYS["covenant"], KEYS["policy"]]).to_bytes()
    assert (await read_everywhere(matrix, anew)).keys() == READERS.keys()


@pytest.mark.parametrize("name", ["trust_list", "bundle"])
async def test_one_document_is_not_the_other_whoever_signed(matrix: Matrix, name: str) -> None:
    payload = SignedDocument.from_bytes(await matrix.make(name)).payload
    document = sign_document(payload, [KEYS["covenant"], KEYS["policy"]]).to_bytes()
    assert READERS.keys() - (await read_everywhere(matrix, document)).keys() == {
        {"trust_list": "trust list", "bundle": "bundle"}[name]
    }


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_strangers_key_counts_nowhere(matrix: Matrix, name: str) -> None:
    wire = (await matrix.make_message(name)).sign(KEYS["stranger"])
    assert await read(matrix, name, wire) <= {"message_key_unknown", "source_answer_invalid"}


@pytest.mark.parametrize("name", MESSAGES)
async def test_nobody_signs_for_another(matrix: Matrix, name: str) -> None:
    signed = await matrix.make_message(name)
    for key in (KEYS[OWN], KEYS[REQUESTER], KEYS[BROKER], PORTAL_KEY):
        if key.kid != signed.key.kid:
            said = await read(matrix, name, signed.sign(key))
            assert said <= {"message_issuer", "message_key_unknown", "source_answer_invalid"}


@pytest.mark.parametrize("name", MESSAGES)
async def test_each_party_says_in_its_own_name_only_what_is_its_own_to_say(
    matrix: Matrix, name: str
) -> None:
    """The signature and the issuer fit; the issuer may not say this."""
    signed = await matrix.make_message(name)
    others = {OWN: KEYS[OWN], REQUESTER: KEYS[REQUESTER], BROKER: KEYS[BROKER]}
    if name not in PORTAL_ACTS | {"envelope", "rotation", *RELAYED}:
        others = {BROKER: KEYS[BROKER]}  # any partner may send the acts of partners
    for party, key in others.items():
        if key.kid != signed.key.kid:
            said = await read(matrix, name, signed.sign(key, iss=party))
            assert None not in said, party


@pytest.mark.parametrize("name", MESSAGES)
async def test_it_counts_for_its_audience_only(matrix: Matrix, name: str) -> None:
    signed = await matrix.make_message(name)
    for party in (BROKER, HOLDER, OWN, OTHER, REQUESTER):
        if party != signed.members["aud"]:
            said = await read(matrix, name, signed.sign(aud=party))
            assert said <= {"message_audience", "source_answer_invalid"}
    listed = await read(matrix, name, signed.sign(aud=[signed.members["aud"]]))
    assert listed <= {"message_audience", "source_answer_invalid"}


@pytest.mark.parametrize("name", MESSAGES)
async def test_it_counts_in_its_time_only(matrix: Matrix, name: str) -> None:
    signed = await matrix.make_message(name)
    # An envelope is read when it is resumed too: ten minutes. All else is first heard in one.
    longest = timedelta(minutes=10) if name == "envelope" else timedelta(seconds=60)
    for seconds, code in ((-35, "message_expired"), (40, "message_ahead")):
        base = moment() - longest if seconds < 0 else moment()
        at = encode_moment(base + timedelta(seconds=seconds))
        assert await read(matrix, name, signed.sign(iat=at)) <= {code, "source_answer_invalid"}
    for iat in ("2026-03-01T12:00:00", "2026-03-01T12:00:00+01:00", 1, None):
        said = await read(matrix, name, signed.sign(iat=iat))
        assert said <= {"message_time", "source_answer_invalid"}


@pytest.mark.parametrize("name", MESSAGES)
async def test_its_parts_are_its_own(matrix: Matrix, name: str) -> None:
    message = SignedMessage.from_bytes(await matrix.make(name))
    more = message.model_copy(update={"parts": (*message.parts, b"0" * 20)})
    assert await read(matrix, name, more.to_bytes()) <= {"message_parts", "source_answer_invalid"}
    if message.parts:
        less = message.model_copy(update={"parts": message.parts[:-1]})
        assert await read(matrix, name, less.to_bytes()) == {"message_parts"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"order_key": "stranger"}, "message_key_unknown"),
        ({"order_key": REQUESTER}, "message_key_unknown"),
        ({"request_key": "stranger"}, "message_key_unknown"),
        ({"request_key": OWN}, "message_issuer"),
        ({"request_key": BROKER}, "order_requester"),
        ({"order": {"aud": OTHER}}, "message_audience"),
    ],
)
async def test_a_broken_order_is_refused(matrix: Matrix, change: dict[str, Any], code: str) -> None:
    _, wire, _ = await matrix.make_order(**change)
    assert await read(matrix, "order", wire) == {code}


@pytest.mark.parametrize(
    ("piece", "minutes", "code"),
    [
        ("order", -12, "message_expired"),
        ("order", 5, "message_ahead"),
        ("core", 5, "order_request_late"),
        ("core", -5, "order_request_ahead"),
    ],
)
async def test_an_order_has_its_times(matrix: Matrix, piece: str, minutes: int, code: str) -> None:
    iat = encode_moment(moment() + timedelta(minutes=minutes))
    _, wire, _ = await matrix.make_order(**{piece: {"iat": iat}})
    assert await read(matrix, "order", wire) == {code}


@pytest.mark.parametrize(("name", "member"), [("aud", BROKER + "x"), ("source", OTHER)])
async def test_an_order_holds_a_request_to_the_broker_for_this_source(
    matrix: Matrix, name: str, member: str
) -> None:
    sent, _, order = await matrix.make_order()
    request = {**json.loads(sent.object_bytes), name: member}
    _, wire, _ = await matrix.make_order(now=order.now, rid=order.rid, request=request)
    expected = {"aud": "message_audience", "source": "order_other_source"}[name]
    assert await read(matrix, "order", wire) == {expected}


@pytest.mark.parametrize("act", ["inquire", "register", "request_contact", "end_session"])
async def test_another_acts_object_is_no_request_in_an_order(matrix: Matrix, act: str) -> None:
    sent = await matrix.make_act(act)
    order = {
        "request_object": encode_bytes(sent.object_bytes),
        "request_protected": encode_bytes(SignedMessage.from_bytes(sent.wire).protected),
        "request_signature": encode_bytes(SignedMessage.from_bytes(sent.wire).signature),
    }
    _, wire, _ = await matrix.make_order(order=order, rid=sent.rid)
    assert await read(matrix, "order", wire) == {"message_type"}


async def test_a_broken_trust_list_is_refused(matrix: Matrix) -> None:
    trust = matrix.trust.model_copy(update={"seq": 2})
    payload = encode_canonical(trust.model_dump(mode="json"))
    for signer in ("stranger", "policy", BROKER):
        wire = sign_document(payload, [KEYS[signer]]).to_bytes()
        assert await read_trust_list(matrix, wire) == "document_threshold"
    renewed = trust.model_copy(update={"seq": 1, "valid_until": moment()})
    again = encode_canonical(renewed.model_dump(mode="json"))
    said = await read_trust_list(matrix, sign_document(again, [KEYS["covenant"]]).to_bytes())
    assert said == "trust_list_old"
    changed = sign_document(payload, [KEYS["covenant"]]).model_copy(
        update={"payload": payload.replace(b'"seq":2', b'"seq":3')}
    )
    assert await read_trust_list(matrix, changed.to_bytes()) == "document_threshold"


async def test_a_broken_bundle_is_refused(matrix: Matrix) -> None:
    for signer in ("stranger", "covenant", BROKER):
        wire = sign_archive(matrix.archive, [KEYS[signer]], seq=2).to_bytes()
        assert await read_bundle(matrix, wire) == "document_threshold"
    older = sign_archive(matrix.archive, [KEYS["policy"]], seq=1).to_bytes()
    assert await read_bundle(matrix, older) == "bundle_stale"
    signed = SignedDocument.from_bytes(await matrix.make("bundle"))
    statement = BundleStatement.model_validate_json(signed.payload)
    other = statement.model_copy(update={"bundle_digest": hashlib.sha256(b"x").hexdigest()})
    payload = encode_canonical(other.model_dump(mode="json"))
    assert (
        await read_bundle(matrix, sign_document(payload, [KEYS["policy"]]).to_bytes())
        == "bundle_digest"
    )


async def test_a_broken_checkpoint_is_refused(matrix: Matrix) -> None:
    note = matrix.gateway.log.note()
    origin, size, *rest = note.split("\n")
    grown = "\n".join([origin, str(int(size) + 1), *rest])
    assert await read_checkpoint(matrix, grown.encode()) == "checkpoint_signature_invalid"
    renamed = note.replace("broker.example/log/1", "other.example/log/1")
    assert await read_checkpoint(matrix, renamed.encode()) == "checkpoint_unsigned"
    unsigned = note.replace("— broker.example/log/1 ", "— stranger.example/log/1 ")
    assert await read_checkpoint(matrix, unsigned.encode()) == "checkpoint_unsigned"
    assert await read_checkpoint(matrix, LogStub().note(0).encode()) is None
