"""Everyone who reads a signed object, as it is read in the running parties.

A reader gives None for what it accepts, else the code by which it refuses; whatever else is raised
is a crash, and fails the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.types import Message

from broker.api.routes import _admit
from broker.api.table import ROUTES
from broker.exchange.release import DeliveryFailedError, require_answering
from connectors.client.opening import open_release
from connectors.client.verification import verify_answer
from datwat.party.trust_list import accept_next, read_verify_keys
from datwat.protocol.bundle import open_bundle
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.errors import DatwatError
from datwat.protocol.messages import ActObject, FiguresObject, MessageObject, ReleaseObject
from tests.connectors.client.written import Log, release_part, to_bytes
from tests.protocol.matrix_world import NOTICES, Matrix, moment
from tests.protocol.order_world import BSN, FIELDS, OWN, REPLY

Reader = Callable[[Matrix, bytes], Awaitable[str | None]]


async def read_at_key_holder(matrix: Matrix, wire: bytes) -> str | None:
    try:
        await matrix.evaluator.answer(wire, matrix.directory, moment())
    except DatwatError as error:
        return error.code
    return None


async def read_rotation_at_key_holder(matrix: Matrix, wire: bytes) -> str | None:
    try:
        await matrix.rotations.answer(wire, matrix.directory, moment())
    except DatwatError as error:
        return error.code
    return None


def read_at_broker(kind: type[MessageObject], types: tuple[str, ...]) -> Reader:
    """Return the reader of one of the broker's routes: admission, and that it is fresh."""

    async def read(matrix: Matrix, wire: bytes) -> str | None:
        async def receive() -> Message:
            return {"type": "http.request", "body": wire, "more_body": False}

        request = Request({"type": "http", "headers": []}, receive)
        try:
            _, require_fresh = await _admit(matrix.api, request, kind, types)
            require_fresh()
        except DatwatError as error:
            return error.code
        return None

    return read


def read_at_gateway(path: str) -> Reader:
    """Return the reader of one of the gateway's routes."""

    async def read(matrix: Matrix, wire: bytes) -> str | None:
        response = await matrix.gateway.send(path, wire)
        if response.status_code in (200, 204):
            return None
        assert response.status_code < 500, response.text
        code: str = response.json()["code"]
        return code

    return read


async def read_envelope_at_broker(matrix: Matrix, wire: bytes) -> str | None:
    """Read `wire` as what a source answers to the newest order."""
    assert matrix.ordered is not None
    sent, order = matrix.ordered
    message = ReleaseObject.model_validate_json(sent.object_bytes)
    try:
        require_answering(wire, order.core_bytes, message, matrix.directory, moment())
    except DeliveryFailedError as error:
        return error.failure
    return None


async def read_envelope_at_client(matrix: Matrix, wire: bytes) -> str | None:
    """Read `wire` as what was released, from a broker that logged just these bytes."""
    assert matrix.ordered is not None
    sent, order = matrix.ordered
    core_hash = hashlib.sha256(order.core_bytes).digest()
    log = Log()
    answer = log.answer(sent, [release_part(fields=FIELDS)], envelope=wire, core_hash=core_hash)
    verified = verify_answer(to_bytes(answer), sent, log.pinned)
    try:
        opened = open_release(
            verified,
            sent,
            source=OWN,
            recipient=REPLY,
            directory=matrix.directory,
            now=moment(),
            bsn=BSN,
        )
    except DatwatError as error:
        return error.code
    assert opened.values.keys() == set(FIELDS)
    assert opened.is_person
    return None


async def read_trust_list(matrix: Matrix, wire: bytes) -> str | None:
    try:
        accepted = accept_next(wire, matrix.held)
    except DatwatError as error:
        return error.code
    assert accepted.trust.seq > matrix.held.trust.seq
    return None


async def read_bundle(matrix: Matrix, wire: bytes) -> str | None:
    policy = matrix.trust.policy
    keys = read_verify_keys(policy.keys).values()
    try:
        open_bundle(matrix.archive, wire, keys, policy.threshold, minimum_seq=2)
    except DatwatError as error:
        return error.code
    return None


async def read_checkpoint(matrix: Matrix, wire: bytes) -> str | None:
    log = matrix.trust.log
    try:
        verify_checkpoint(wire, log.origin, log.vkeys)
    except DatwatError as error:
        return error.code
    return None


_BROKER: dict[str, tuple[Reader, tuple[str, ...]]] = {
    route.path: (read_at_broker(route.kind, route.types), route.types) for route in ROUTES
}
_VIEWS = {
    "/v1/access-log": "access_log",
    "/v1/access-log/proof": "access_log_proof",
    "/v1/own-involvements": "own_involvements",
    "/v1/own-wishes": "own_wishes",
}
_BROKER |= {path: (read_at_broker(ActObject, (name,)), (name,)) for path, name in _VIEWS.items()}
_FIGURES = ("own_figures",)
_BROKER["/v1/own-figures"] = (read_at_broker(FiguresObject, _FIGURES), _FIGURES)

# Each reader, with the objects that it accepts: the diagonal.
READERS: Mapping[str, tuple[Reader, tuple[str, ...]]] = {
    "key holder": (read_at_key_holder, ("evaluate",)),
    "key holder /v1/rotations": (read_rotation_at_key_holder, ("rotation",)),
    **{f"broker {path}": reader for path, reader in _BROKER.items()},
    "broker, of a gateway": (read_envelope_at_broker, ("envelope",)),
    "gateway /v1/orders": (read_at_gateway("/v1/orders"), ("order",)),
    "gateway /v1/contact-deliveries": (
        read_at_gateway("/v1/contact-deliveries"),
        ("contact_request",),
    ),
    "gateway /v1/notices": (read_at_gateway("/v1/notices"), NOTICES),
    "client, of a source": (read_envelope_at_client, ("envelope",)),
    "trust list": (read_trust_list, ("trust_list",)),
    "bundle": (read_bundle, ("bundle",)),
    "checkpoint": (read_checkpoint, ("checkpoint",)),
}


async def read_everywhere(matrix: Matrix, wire: bytes) -> dict[str, str]:
    """Return by which code each reader refuses `wire`; who accepts it is left out."""
    said = {name: await read(matrix, wire) for name, (read, _) in READERS.items()}
    return {name: code for name, code in said.items() if code is not None}


def find_accepting(name: str) -> set[str]:
    """Return the readers that accept an object."""
    return {reader for reader, (_, accepted) in READERS.items() if name in accepted}
