"""Golden vectors of what the parties exchange: order, deliveries, documents, answer, access log.

As `test_format_vectors.py`: `tests/vectors/*.json` with `inputs` and `outputs`, each with its
origin; run as a program this module writes the files anew. What is signed is signed by Ed25519,
which is deterministic (RFC 8032); salts are inputs. Each vector is also read by who reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.client.outgoing import Sent
from connectors.client.verification import verify_answer
from connectors.portal.own_log import verify_own_log
from datwat.party.trust_list import accept_first
from datwat.protocol.access_log import ProvedLog
from datwat.protocol.answers import InquiryPart
from datwat.protocol.answers import build_part as build_answer_part
from datwat.protocol.bundle import BundleStatement
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.deliveries import ContactDelivery, EndedNotice, OpenedCore, OpenedNotice
from datwat.protocol.documents import (
    SignedDocument,
    build_verify_keys,
    require_threshold,
    sign_document,
)
from datwat.protocol.entry import build_person_entry, derive_commit, derive_payload_hash
from datwat.protocol.jws import sign_object
from datwat.protocol.keys import SigningKey
from datwat.protocol.merkle import build_inclusion_proof, derive_root, hash_leaf
from datwat.protocol.messages import Answer, Core, PersonAnswer, ReceiptPath, ReleaseCore
from datwat.protocol.order import OrderEnvelope, OrderObject, derive_about
from datwat.protocol.order_checks import (
    open_order,
    read_core,
    read_order,
    require_core,
    require_logged,
    require_request,
    require_times,
    verify_request,
)
from datwat.protocol.receipt import require_receipt
from datwat.protocol.signing import (
    SignedMessage,
    build_message,
    build_part,
    open_message,
    part_content,
    require_envelope,
)
from datwat.protocol.texts import Texts
from datwat.protocol.trust import Card, TrustList
from datwat.protocol.values import decode_bytes, encode_bytes
from tests.protocol.exchange_inputs import (
    BROKER,
    INPUTS,
    NOW,
    PARTNER,
    RID,
    SOURCE,
    Members,
    build_signer,
    key,
    pinned,
    raw,
)

FOLDER = Path(__file__).parent.parent / "vectors"
ORIGIN = (
    "Made by tests/protocol/test_exchange_vectors.py of this project (its own generator) from the "
    "inputs given here; binary values in hex, or in base64url within JSON. "
)


def to_json(model: BaseModel) -> Any:  # noqa: ANN401 - JSON
    return model.model_dump(mode="json")


def log_entry(inputs: Members, entry: bytes) -> tuple[Members, str]:
    """Write `entry` after the leaves before it; return its receipt and the checkpoint."""
    leaves = [*map(raw, inputs["leaves_before"]), hash_leaf(entry)]

    def node(level: int, index: int) -> bytes:
        return derive_root(leaves[index << level : (index + 1) << level])

    path = build_inclusion_proof(node, len(leaves) - 1, len(leaves))
    note = build_signer(inputs).sign(len(leaves), derive_root(leaves))
    receipt = {"index": len(leaves) - 1, "path": [encode_bytes(step) for step in path]}
    return receipt, note


def make_order(inputs: Members) -> Members:
    request = encode_canonical(inputs["request"])
    signed = sign_object(request, key(inputs, "partner"))
    about = derive_about(decode_bytes(inputs["request"]["rid"]), raw(inputs["involvement"]))
    request_hash = encode_bytes(hashlib.sha256(request).digest())
    filled = {"request_hash": request_hash, "about": encode_bytes(about)}
    core = encode_canonical(
        to_json(ReleaseCore.model_validate_json(json.dumps({**inputs["core"], **filled})))
    )
    payload_hash, tag = raw(inputs["payload_hash"]), raw(inputs["tag"])
    entry = build_person_entry(tag, derive_commit(core, payload_hash))
    object_members = {
        **inputs["order"],
        "request_object": encode_bytes(request),
        "request_protected": encode_bytes(signed.protected),
        "request_signature": encode_bytes(signed.signature),
        "core": encode_bytes(core),
        "payload_hash": encode_bytes(payload_hash),
        "tag": encode_bytes(tag),
        "has_statement": False,
        "has_ticket": False,
    }
    message = build_message(object_members, (), key(inputs, "broker"))
    assert to_json(OrderObject.model_validate_json(message.object)) == {
        **object_members,
        "parts": [],
    }
    receipt, note = log_entry(inputs, entry)
    size = receipt["index"] + 1
    wire = {
        "v": 1,
        "message": encode_bytes(message.to_bytes()),
        "involvement": encode_bytes(raw(inputs["involvement"])),
        "receipt": receipt,
        "checkpoint": note,
        "consistency": {"from_size": 0, "to_size": size, "path": []},
        "cosigned": note,
    }
    envelope = OrderEnvelope.model_validate_json(json.dumps(wire))
    return {
        "request_object": request.hex(),
        "core": core.hex(),
        "entry": entry.hex(),
        "order_object": message.object.hex(),
        "wire": encode_canonical(to_json(envelope)).hex(),
    }


_CONTENTS: Mapping[str, type[BaseModel]] = {
    "contact_request": ContactDelivery,
    "opened": OpenedNotice,
    "annulled": EndedNotice,
    "ended": EndedNotice,
}


def make_deliveries(inputs: Members) -> Members:
    contents = {**inputs["contents"], "opened": build_opened(inputs)}
    made = {}
    for kind, content in contents.items():
        model = _CONTENTS[kind].model_validate_json(json.dumps(content))
        encoded = encode_canonical(model.model_dump(mode="json", exclude_none=True))
        members = {**inputs["members"], "type": kind}
        part = build_part(encoded, raw(inputs["salt"]))
        message = build_message(members, [part], key(inputs, "broker"))
        made[kind] = {"content": content, "wire": message.to_bytes().hex()}
    return made


def build_opened(inputs: Members) -> Members:
    opened = inputs["opened"]
    members = {
        "v": 1,
        "type": "opened",
        "index": opened["index"],
        "commit": encode_bytes(raw(opened["commit"])),
        "at": opened["at"],
    }
    core = encode_canonical(to_json(OpenedCore.model_validate_json(json.dumps(members))))
    payload_hash, tag = raw(opened["payload_hash"]), raw(opened["tag"])
    receipt, note = log_entry(inputs, build_person_entry(tag, derive_commit(core, payload_hash)))
    return {
        "core": encode_bytes(core),
        "payload_hash": encode_bytes(payload_hash),
        "tag": encode_bytes(tag),
        "receipt": receipt,
        "checkpoint": note,
    }


def make_trust_list(inputs: Members) -> Members:
    trust = TrustList.model_validate_json(json.dumps(inputs["list"]))
    payload = encode_canonical(to_json(trust))
    keys = [SigningKey.from_seed(raw(seed)) for seed in inputs["covenant_seeds"]]
    return {
        "payload": payload.hex(),
        "hash": hashlib.sha256(payload).hexdigest(),
        "wire": sign_document(payload, keys).to_bytes().hex(),
    }


def make_card(inputs: Members) -> Members:
    return {
        role: Card.model_validate_json(json.dumps(card)).model_dump_json(indent=2)
        for role, card in inputs["cards"].items()
    }


def make_bundle(inputs: Members) -> Members:
    statement = BundleStatement.model_validate_json(json.dumps(inputs["statement"]))
    payload = encode_canonical(to_json(statement))
    keys = [SigningKey.from_seed(raw(seed)) for seed in inputs["policy_seeds"]]
    return {"payload": payload.hex(), "wire": sign_document(payload, keys).to_bytes().hex()}


def build_request(inputs: Members) -> Sent:
    parts = [
        build_part(encode_canonical(content), raw(salt))
        for content, salt in zip(inputs["contents"], inputs["salts"], strict=True)
    ]
    message = build_message(inputs["members"], parts, key(inputs, "partner"))
    person_hash = hashlib.sha256(parts[-1]).digest()
    rid = decode_bytes(inputs["members"]["rid"])
    return Sent.from_wire(inputs["members"]["type"], rid, message.to_bytes(), (person_hash,))


def make_answer(inputs: Members) -> Members:
    sent = build_request(inputs)
    part_model = InquiryPart.model_validate_json(json.dumps(inputs["part"]))
    part = build_answer_part(part_model, inputs["size_class"])
    core = Core(
        v=1,
        type="inquiry",
        request_hash=sent.request_hash,
        person_hash=sent.person_hashes[0],
        answer_hash=hashlib.sha256(part).digest(),
        revision=inputs["revision"],
        notice="now",
    )
    core_bytes = encode_canonical(core.model_dump(mode="json", exclude_none=True))
    payload_hash, tag = raw(inputs["payload_hash"]), raw(inputs["tag"])
    entry = build_person_entry(tag, derive_commit(core_bytes, payload_hash))
    receipt, note = log_entry(inputs, entry)
    person = PersonAnswer(
        part=part,
        core=core_bytes,
        payload_hash=payload_hash,
        tag=tag,
        receipt=ReceiptPath.model_validate_json(json.dumps(receipt)),
    )
    answer = Answer(v=1, rid=sent.rid, checkpoint=note, answers=(person,))
    return {
        "request": sent.wire.hex(),
        "part": part.decode(),
        "core": core_bytes.hex(),
        "entry": entry.hex(),
        "answer": to_json(answer),
    }


def make_access_log(inputs: Members) -> Members:
    payload = json.dumps(inputs["payload"], separators=(",", ":")).encode()
    core, salt, tag = raw(inputs["core"]), raw(inputs["salt"]), raw(inputs["tag"])
    entry = build_person_entry(tag, derive_commit(core, derive_payload_hash(salt, payload)))
    receipt, note = log_entry(inputs, entry)
    proof = {
        **receipt,
        "audience": "open",
        "tag": encode_bytes(tag),
        "core": encode_bytes(core),
        "salt": encode_bytes(salt),
        "payload": encode_bytes(payload),
    }
    cards = [{"proofs": [proof]}]
    page = {"v": 1, "rid": inputs["rid"], "checkpoint": note, "cards": cards, "next": None}
    return {
        "entry": entry.hex(),
        "answer": to_json(ProvedLog.model_validate_json(json.dumps(page))),
    }


MAKERS: dict[str, tuple[str, Callable[[Members], Members]]] = {
    "order": (
        "An order with its proofs: requester's object, core, entry, broker's object, wire form.",
        make_order,
    ),
    "deliveries": (
        "What the broker relays to a gateway: contact_request, and opened, annulled and ended.",
        make_deliveries,
    ),
    "trust-list": (
        "The trust list as its covenant keys sign it; `hash` is what parties pin.",
        make_trust_list,
    ),
    "card": ("The cards that `init` writes, by role: JSON, indented by two.", make_card),
    "bundle-statement": (
        "What the policy keys sign of a bundle; digest and revision are those of no real one.",
        make_bundle,
    ),
    "answer": (
        "A question about one person and its answer: part, core, entry, and the answer in JSON.",
        make_answer,
    ),
    "access-log": (
        "A page of a resident's own log with one card and its proof, in JSON.",
        make_access_log,
    ),
}


def read(name: str) -> Members:
    vector: Members = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return vector


@pytest.mark.parametrize("name", MAKERS)
def test_the_format_is_as_published(name: str) -> None:
    vector = read(name)
    assert MAKERS[name][1](vector["inputs"]) == vector["outputs"]
    assert vector["inputs"] == INPUTS[name]
    assert vector["origin"].startswith(ORIGIN)


def test_the_published_order_holds_at_its_source() -> None:
    vector = read("order")
    inputs, wire = vector["inputs"], raw(vector["outputs"]["wire"])
    broker, partner = (key(inputs, name) for name in ("broker", "partner"))
    envelope = read_order(wire)
    order = open_order(
        envelope.message, {broker.kid: broker.public}, broker=BROKER, own=SOURCE, now=NOW
    )
    signed = verify_request(order, {partner.kid: partner.public})
    request = require_request(signed, order, requester=PARTNER, broker=BROKER, own=SOURCE)
    core = read_core(order.core)
    require_times(request.iat, core.iat, NOW)
    require_core(core, order, envelope.involvement)
    assert require_logged(order, envelope, pinned(inputs)).size == 4


def test_the_published_deliveries_are_messages_with_one_part() -> None:
    vector = read("deliveries")
    broker = key(vector["inputs"], "broker")
    assert vector["outputs"].keys() == _CONTENTS.keys()
    for kind, made in vector["outputs"].items():
        opened = open_message(raw(made["wire"]), {broker.kid: broker.public})
        require_envelope(opened.object, type=kind, iss=BROKER, aud=SOURCE, now=NOW)
        (part,) = opened.parts
        assert part_content(part) == encode_canonical(made["content"])
    notice = OpenedNotice.model_validate_json(json.dumps(vector["outputs"]["opened"]["content"]))
    log = pinned(vector["inputs"])
    found = require_receipt(
        core=notice.core,
        payload_hash=notice.payload_hash,
        tag=notice.tag,
        receipt=notice.receipt,
        checkpoint=notice.checkpoint.encode(),
        origin=log.origin,
        vkeys=log.vkeys,
    )
    assert found.size == 4


def test_the_published_documents_are_signed_by_their_threshold() -> None:
    vector = read("trust-list")["outputs"]
    accepted = accept_first(raw(vector["wire"]), raw(vector["hash"]))
    assert accepted.trust.partners[0].id == PARTNER
    bundle = read("bundle-statement")
    (seed,) = bundle["inputs"]["policy_seeds"]
    document = SignedDocument.from_bytes(raw(bundle["outputs"]["wire"]))
    keys = build_verify_keys([SigningKey.from_seed(raw(seed)).public])
    assert require_threshold(document, keys, 1) == raw(bundle["outputs"]["payload"])


def test_the_published_answer_holds_at_the_client() -> None:
    vector = read("answer")
    inputs, outputs = vector["inputs"], vector["outputs"]
    message = SignedMessage.from_bytes(raw(outputs["request"]))
    hashes = _last_hash(message.parts)
    sent = Sent.from_wire("inquire", decode_bytes(RID), raw(outputs["request"]), hashes)
    found = verify_answer(json.dumps(outputs["answer"]).encode(), sent, pinned(inputs))
    (person,) = found.persons
    assert person.index == 3
    assert len(outputs["part"]) == inputs["size_class"]


def test_the_published_access_log_holds_at_the_portal() -> None:
    vector = read("access-log")
    raw_page = json.dumps(vector["outputs"]["answer"]).encode()
    log, none = pinned(vector["inputs"]), CatalogueView(purposes={}, products={}, kinds={})
    page, checkpoint = verify_own_log(raw_page, decode_bytes(RID), log, Texts({}), none)
    assert (page.cards[0].number, checkpoint.size) == (3, 4)


def _last_hash(parts: Sequence[bytes]) -> tuple[bytes]:
    return (hashlib.sha256(parts[-1]).digest(),)


def write() -> None:
    for name, (text, make) in MAKERS.items():
        inputs = INPUTS[name]
        vector = {"origin": ORIGIN + text, "inputs": inputs, "outputs": make(inputs)}
        form = json.dumps(vector, indent=1, ensure_ascii=True)
        (FOLDER / f"{name}.json").write_text(form + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
