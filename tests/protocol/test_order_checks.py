"""Section 8 step by step: each function lets through what holds and refuses by its own code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from datwat.protocol import order_checks as checks
from datwat.protocol import order_errors as errors
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.catalogue import CatalogueView
from datwat.protocol.checkpoint import Checkpoint, build_cosignature
from datwat.protocol.errors import ProtocolError
from datwat.protocol.messages import ReleaseCore, ReleaseObject
from datwat.protocol.notes import COSIGNATURE_TYPE, Note, VerifierKey, parse_note
from datwat.protocol.order import Consistency, OrderEnvelope, OrderObject
from datwat.protocol.receipt import ReceiptError
from datwat.protocol.trust import LogEntry
from tests.protocol.order_world import (
    BROKER,
    DIGEST,
    FIELDS,
    INVOLVEMENT,
    KEYS,
    ORIGIN,
    OTHER,
    OWN,
    REQUESTER,
    LogStub,
    Order,
    catalogue,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BROKER_KEYS = {KEYS[BROKER].kid: KEYS[BROKER].public}
REQUESTER_KEYS = {KEYS[REQUESTER].kid: KEYS[REQUESTER].public}
LOG = LogEntry(origin=ORIGIN, vkeys=(LogStub().signer.vkey,))
VIEW = CatalogueView.model_validate_json(encode_canonical(catalogue()))


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(ProtocolError) as caught:
        act()
    return caught.value.code


def order_of(order: Order) -> OrderObject:
    return checks.open_order(order.message(), BROKER_KEYS, broker=BROKER, own=OWN, now=NOW)


def envelope_of(order: Order, log: LogStub) -> OrderEnvelope:
    return checks.read_order(encode_canonical(order.wire(log, order.log(log))))


def test_every_error_has_its_own_code() -> None:
    kinds = errors.OrderError.__subclasses__()
    assert len({kind.code for kind in kinds} | {errors.OrderError.code}) == len(kinds) + 1


def test_step_1_opens_an_order_for_this_source() -> None:
    order = Order(now=NOW)
    opened = order_of(order)
    assert opened.core == order.core_bytes
    assert opened.request_object == order.request_object
    later = NOW + timedelta(minutes=10)
    message = order.message()
    checks.open_order(message, BROKER_KEYS, broker=BROKER, own=OWN, now=later)
    too_late = later + timedelta(seconds=31)
    assert (
        refused(
            lambda: checks.open_order(message, BROKER_KEYS, broker=BROKER, own=OWN, now=too_late)
        )
        == "message_expired"
    )
    assert (
        refused(lambda: checks.open_order(message, REQUESTER_KEYS, broker=BROKER, own=OWN, now=NOW))
        == "message_key_unknown"
    )
    assert (
        refused(lambda: checks.open_order(message, BROKER_KEYS, broker=BROKER, own=OTHER, now=NOW))
        == "message_audience"
    )


@pytest.mark.parametrize("change", [{"has_statement": True}, {"has_ticket": True}, {"tag": "AA"}])
def test_step_1_refuses_what_is_no_order(change: dict[str, Any]) -> None:
    assert refused(lambda: order_of(Order(now=NOW, order=change))) == "order_object"


def test_step_1_refuses_a_body_of_another_form() -> None:
    assert refused(lambda: checks.read_order(b"{}")) == "order_form"
    assert refused(lambda: checks.read_order(b'{"v":1,"v":1}')) == "json_duplicate_key"
    body = encode_canonical(Order(now=NOW).wire(LogStub(), 0) | {"extra": 1})
    assert refused(lambda: checks.read_order(body)) == "order_form"


def test_step_2_finds_whose_key_signed_the_request() -> None:
    order = order_of(Order(now=NOW))
    assert checks.verify_request(order, REQUESTER_KEYS).kid == KEYS[REQUESTER].kid
    assert refused(lambda: checks.verify_request(order, BROKER_KEYS)) == "message_key_unknown"
    swapped = order.model_copy(update={"request_object": order.request_object + b" "})
    assert refused(lambda: checks.verify_request(swapped, REQUESTER_KEYS)) == "message_signature"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "inquire"}, "message_type"),
        ({"iss": OTHER}, "message_issuer"),
        ({"aud": OTHER}, "message_audience"),
        ({"source": OTHER}, "order_other_source"),
        ({"extra": 1}, "order_request"),
        ({"v": 2}, "order_request"),
        ({"rid": "AAAAAAAAAAAAAAAAAAAAAA"}, "order_other_rid"),
    ],
)
def test_step_2_refuses_a_request_that_is_not_this_one(changes: dict[str, Any], code: str) -> None:
    order = order_of(Order(now=NOW, request=changes))
    signed = checks.verify_request(order, REQUESTER_KEYS)
    assert (
        refused(
            lambda: checks.require_request(
                signed, order, requester=REQUESTER, broker=BROKER, own=OWN
            )
        )
        == code
    )


@pytest.mark.parametrize("raw", [b"[]", b"{ }", b"x"])
def test_step_2_refuses_bytes_that_are_no_object(raw: bytes) -> None:
    order = order_of(Order(now=NOW))
    signed = checks.SignedRequest("kid", raw)
    assert (
        refused(
            lambda: checks.require_request(
                signed, order, requester=REQUESTER, broker=BROKER, own=OWN
            )
        )
        == "order_request"
    )


SECONDS = st.integers(min_value=-7_200, max_value=7_200)


@given(request=SECONDS, decided=SECONDS)
def test_step_3_the_request_60_s_before_the_core_the_core_ten_minutes_back(
    request: int, decided: int
) -> None:
    request_at, decided_at = NOW + timedelta(seconds=request), NOW + timedelta(seconds=decided)
    holds = -30 <= decided - request <= 90 and -630 <= decided <= 30
    if holds:
        checks.require_times(request_at, decided_at, NOW)
    else:
        assert refused(lambda: checks.require_times(request_at, decided_at, NOW)) in {
            "order_request_late",
            "order_request_ahead",
            "order_expired",
            "order_ahead",
        }


@pytest.mark.parametrize(
    ("request_at", "decided_at", "code"),
    [
        (-200, 0, "order_request_late"),
        (40, 0, "order_request_ahead"),
        (-640, -640, "order_expired"),
        (40, 40, "order_ahead"),
    ],
)
def test_step_3_tells_which_time_does_not_hold(request_at: int, decided_at: int, code: str) -> None:
    moments = [NOW + timedelta(seconds=offset) for offset in (request_at, decided_at)]
    assert refused(lambda: checks.require_times(moments[0], moments[1], NOW)) == code


def test_step_4_reads_a_permit_and_nothing_else() -> None:
    order = Order(now=NOW)
    assert checks.read_core(order.core_bytes).fields == FIELDS
    for kind in ("inquiry", "act", "refusal", "outcome", "opened", None):
        core = encode_canonical({"v": 1, "type": kind})
        assert refused(lambda core=core: checks.read_core(core)) == "order_core_type"  # type: ignore[misc]
    for raw in (b"", b"[]", b"{ }", encode_canonical({"v": 1, "type": "release"})):
        assert refused(lambda raw=raw: checks.read_core(raw)) == "order_core_form"  # type: ignore[misc]


def test_step_4_the_core_is_of_this_request_and_involvement() -> None:
    order = Order(now=NOW)
    opened, core = order_of(order), checks.read_core(order.core_bytes)
    checks.require_core(core, opened, INVOLVEMENT)
    other = core.model_copy(update={"request_hash": bytes(32)})
    assert refused(lambda: checks.require_core(other, opened, INVOLVEMENT)) == "order_other_request"
    assert (
        refused(lambda: checks.require_core(core, opened, b"another-involve1"))
        == "order_other_involvement"
    )


PATHS = ("regeling.status", "totaal_schuld", "krediteur", "elders")
SOME = st.lists(st.sampled_from(PATHS), min_size=1, max_size=4, unique=True)


def fields_of(
    ordered: list[str],
    requested: list[str],
    allowed: list[str],
    *,
    decided_at: datetime = NOW,
    digest: str = DIGEST,
    requester: str = "social-team",
    source: str = "debt-counselling",
) -> None:
    order = Order(
        now=decided_at,
        request={"fields": requested, "purpose": {"id": "help", "digest": digest}},
        core={"fields": ordered},
    )
    request = order_request(order)
    checks.require_fields(
        ReleaseCore.model_validate_json(order.core_bytes),
        request,
        VIEW,
        allowed,
        source_function=source,
        requester_function=requester,
    )


def order_request(order: Order) -> ReleaseObject:
    opened = checks.open_order(order.message(), BROKER_KEYS, broker=BROKER, own=OWN, now=order.now)
    signed = checks.verify_request(opened, REQUESTER_KEYS)
    return checks.require_request(signed, opened, requester=REQUESTER, broker=BROKER, own=OWN)


@given(ordered=SOME, requested=SOME, allowed=SOME)
def test_step_5_lets_through_exactly_the_intersection(
    ordered: list[str], requested: list[str], allowed: list[str]
) -> None:
    holds = set(ordered) <= set(requested) & set(FIELDS) & set(allowed)
    if holds:
        fields_of(ordered, requested, allowed)
    else:
        assert refused(lambda: fields_of(ordered, requested, allowed)) in {
            "order_field_unrequested",
            "order_field_outside_purpose",
            "order_field_not_allowed",
        }


def test_step_5_refuses_by_purpose_and_edge() -> None:
    fields, every = list(FIELDS), list(PATHS)
    cases: list[tuple[Callable[[], None], str]] = [
        (lambda: fields_of([*fields, fields[0]], every, every), "order_field_twice"),
        (lambda: fields_of(fields, every, every, digest="f" * 64), "order_purpose_unknown"),
        (lambda: fields_of(fields, every, every, requester="school"), "order_edge_missing"),
        (lambda: fields_of(fields, every, every, source="income"), "order_edge_missing"),
        (
            lambda: fields_of(fields, every, every, decided_at=datetime(2025, 1, 1, tzinfo=UTC)),
            "order_purpose_not_in_force",
        ),
        (lambda: fields_of(["krediteur"], every, every), "order_field_outside_purpose"),
        (lambda: fields_of(fields, every, ["krediteur"]), "order_field_not_allowed"),
    ]
    for act, code in cases:
        assert refused(act) == code


def require_fields_at(view: CatalogueView, now: datetime) -> None:
    order = Order(now=now)
    checks.require_fields(
        ReleaseCore.model_validate_json(order.core_bytes),
        order_request(order),
        view,
        FIELDS,
        source_function="debt-counselling",
        requester_function="social-team",
    )


def view_with(**changes: object) -> CatalogueView:
    history = VIEW.purposes["help"]
    revision = history.newest.model_copy(update=changes)
    held = history.model_copy(update={"revisions": (revision,)})
    return VIEW.model_copy(update={"purposes": {"help": held}})


def test_step_5_a_purpose_ends() -> None:
    view = view_with(valid_until=NOW, until_at=NOW)
    require_fields_at(view, NOW - timedelta(seconds=1))
    for seconds in (0, 1):
        act = partial(require_fields_at, view, NOW + timedelta(seconds=seconds))
        assert refused(act) == "order_purpose_not_in_force"


def test_step_5_a_revision_that_is_followed_may_be_named_two_minutes_more() -> None:
    view = view_with(until_at=NOW)
    require_fields_at(view, NOW + timedelta(seconds=119))
    act = partial(require_fields_at, view, NOW + timedelta(seconds=120))
    assert refused(act) == "order_purpose_not_in_force"


def test_step_6_the_receipt_proves_this_very_entry() -> None:
    log, order = LogStub(), Order(now=NOW)
    opened, envelope = order_of(order), envelope_of(order, log)
    assert checks.require_logged(opened, envelope, LOG).size == len(log.leaves)
    for change in ({"core": opened.core + b" "}, {"payload_hash": bytes(32)}, {"tag": bytes(32)}):
        changed = opened.model_copy(update=change)
        with pytest.raises(ReceiptError):
            checks.require_logged(changed, envelope, LOG)


def test_step_6_enough_witnesses_vouch_and_not_too_long_ago() -> None:
    log, key = LogStub(), Ed25519PrivateKey.generate()
    note = parse_note(log.note().encode())
    witness = VerifierKey(
        name="witness.example",
        type=COSIGNATURE_TYPE,
        public_key=key.public_key().public_bytes_raw(),
    ).text

    def cosigned(at: datetime) -> bytes:
        line = build_cosignature(note.text, "witness.example", key, int(at.timestamp()))
        return Note(text=note.text, signatures=(*note.signatures, line)).serialise()

    plain = note.serialise()
    assert checks.require_cosigned(plain, LOG, [], 0, NOW).size == 3
    assert checks.require_cosigned(cosigned(NOW), LOG, [witness], 1, NOW).size == 3
    old = NOW - timedelta(minutes=16)
    for given_note, threshold in (
        (plain, 1),
        (cosigned(old), 1),
        (cosigned(NOW + timedelta(minutes=1)), 1),
        (cosigned(NOW), 2),
    ):
        assert (
            refused(
                lambda n=given_note, t=threshold: checks.require_cosigned(  # type: ignore[misc]
                    n, LOG, [witness], t, NOW
                )
            )
            == "order_not_cosigned"
        )


def at(log: LogStub, size: int) -> Checkpoint:
    note = log.note(size).encode()
    return checks.require_cosigned(note, LOG, [], 0, NOW)


def proof(log: LogStub, first: int, second: int) -> Consistency:
    return Consistency.model_validate_json(encode_canonical(log.consistency(first, second)))


@settings(max_examples=40)
@given(size=st.integers(1, 40), held=st.integers(1, 40))
def test_step_7_any_size_is_proved_from_or_into_what_is_held(size: int, held: int) -> None:
    log = LogStub(40)
    newest = at(log, held)
    way = proof(log, min(size, held), max(size, held))
    known = {held: newest.root}
    assert checks.require_consistent(at(log, size), way, newest, known) == (size > held)


@settings(max_examples=40)
@given(size=st.integers(2, 40), held=st.integers(2, 40), kept=st.integers(0, 39))
def test_step_7_a_fork_is_never_accepted(size: int, held: int, kept: int) -> None:
    log, other = LogStub(40), LogStub(40)
    kept = min(kept, size - 1, held - 1)
    other.leaves[kept:] = [hashlib.sha256(leaf).digest() for leaf in other.leaves[kept:]]
    newest = at(log, held)
    for teller in (log, other):
        way = proof(teller, min(size, held), max(size, held))
        assert (
            refused(
                lambda way=way: checks.require_consistent(  # type: ignore[misc]
                    at(other, size), way, newest, {held: newest.root}
                )
            )
            == "order_log_forked"
        )


def test_step_7_another_base_asks_for_a_proof() -> None:
    log = LogStub(20)
    newest = at(log, 10)
    known = {10: newest.root, 5: at(log, 5).root}
    for size, first, second in ((15, 5, 15), (15, 10, 14), (7, 6, 10), (7, 7, 9), (7, 5, 5)):
        with pytest.raises(errors.NeedProofError) as caught:
            checks.require_consistent(at(log, size), proof(log, first, second), newest, known)
        assert caught.value.size == 10
    assert not checks.require_consistent(at(log, 3), proof(log, 3, 5), newest, known)
    assert checks.require_consistent(at(log, 3), proof(log, 1, 2), None, {})
