"""Look-ups at a key holder that runs as a process of its own."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest

from datwat.protocol import blinding, group
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.keys import ExchangePublicKey
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.ticket import TicketUse, derive_ticket_key, open_ticket
from datwat.protocol.values import encode_bytes, encode_moment
from tests.databases import read_url, read_whole
from tests.keyholder.world import BSN, OTHER_BSN, World, look_up, problem, read, run
from tests.party.covenant import BROKER_ID, Member, build_member, now

pytestmark = pytest.mark.xdist_group("keyholder")
Members = dict[str, Member]


@pytest.mark.parametrize("n", [1, 2, 9])
def test_the_broker_gets_the_pseudonym_and_only_with_the_ticket(
    world: World, members: Members, n: int
) -> None:
    helper = members["helper"]
    message, blinds, elements = look_up(helper, n)
    asked = json.loads(message.object)
    answer = read(world.post(message))
    proof = blinding.Proof(answer.proof_c, answer.proof_s)
    blinding.require_proof(answer.pk_t, elements, answer.elements, proof)
    gammas = [blinding.unblind(r, beta) for r, beta in zip(blinds, answer.elements, strict=True)]
    broker = world.covenant.broker_exchange
    assert world.covenant.key_holder is not None
    holder = ExchangePublicKey(world.covenant.key_holder.x25519[0])
    key = derive_ticket_key(broker, holder=holder, broker=broker.public)
    for_rid = blinding_rid(asked)
    opened = open_ticket(
        answer.ticket,
        {key.kid: key},
        use=TicketUse(partner=helper.id, ticket_class="inquire", rid=for_rid, n=n),
        epoch_keys={1: group.multiply_base(world.secret)},
        now=now(),
    )
    bsns = [BSN if index % 2 else OTHER_BSN for index in range(n)]
    for bsn, gamma in zip(bsns, gammas, strict=True):
        point = blinding.hash_to_element(b"NL:BSN:" + bsn.encode())
        assert opened.derive_point(gamma) == group.multiply(world.secret, point)
        assert gamma != group.multiply(world.secret, point)


def blinding_rid(asked: dict[str, str]) -> bytes:
    from datwat.protocol.values import decode_bytes  # noqa: PLC0415

    return decode_bytes(asked["for_rid"])


def test_two_look_ups_of_one_person_have_nothing_in_common(world: World, members: Members) -> None:
    gammas = []
    for _ in range(2):
        message, blinds, _ = look_up(members["helper"])
        answer = read(world.post(message))
        gammas.append(blinding.unblind(blinds[0], answer.elements[0]))
    assert gammas[0] != gammas[1]


def test_the_same_bytes_get_the_same_answer(world: World, members: Members) -> None:
    message, _, _ = look_up(members["helper"])
    first = world.post(message)
    assert first.status_code == 200
    assert world.post(message).content == first.content


def test_a_used_id_with_other_bytes_is_refused(world: World, members: Members) -> None:
    rid = encode_bytes(os.urandom(16))
    assert world.post(look_up(members["helper"], rid=rid)[0]).status_code == 200
    refused = problem(world.post(look_up(members["helper"], rid=rid)[0]))
    assert (refused["status"], refused["code"]) == (409, "rid_reused")


def test_two_partners_may_choose_the_same_id(world: World, members: Members) -> None:
    rid = encode_bytes(os.urandom(16))
    for name in ("helper", "second"):
        assert world.post(look_up(members[name], rid=rid)[0]).status_code == 200


def test_a_batch_of_a_thousand(world: World, members: Members) -> None:
    message, _, elements = look_up(members["second"], 1_000)
    answer = read(world.post(message))
    proof = blinding.Proof(answer.proof_c, answer.proof_s)
    blinding.require_proof(answer.pk_t, elements, answer.elements, proof)
    assert world.post(message).content == world.post(message).content


def test_nobody_outside_the_list_is_heard(world: World, members: Members) -> None:
    stranger = build_member(99, "inquire")
    refused = problem(world.post(look_up(stranger)[0]))
    assert (refused["status"], refused["code"]) == (403, "message_key_unknown")


def test_a_partner_signs_for_itself_only(world: World, members: Members) -> None:
    message, _, _ = look_up(members["helper"], iss=members["second"].id)
    assert problem(world.post(message))["code"] == "message_issuer"


def test_the_broker_cannot_look_up_anybody(world: World, members: Members) -> None:
    broker = Member(members["helper"].partner, world.covenant.broker_key)
    assert problem(world.post(look_up(broker, iss=BROKER_ID)[0]))["code"] == "issuer_unknown"


def test_every_partner_is_closed_until_it_is_enabled(world: World, members: Members) -> None:
    refused = problem(world.post(look_up(members["closed"])[0]))
    assert (refused["status"], refused["code"]) == (403, "partner_not_open")


def test_disabled_is_closed_at_once(world: World, members: Members) -> None:
    member = members["busy"]
    assert world.post(look_up(member)[0]).status_code == 200
    run("disable", member.id, "--home", str(world.home))
    assert problem(world.post(look_up(member)[0]))["code"] == "partner_not_open"
    world.enable(member)
    assert world.post(look_up(member)[0]).status_code == 200


def test_an_ended_covenant_closes(world: World, members: Members) -> None:
    refused = problem(world.post(look_up(members["over"])[0]))
    assert (refused["status"], refused["code"]) == (403, "covenant_expired")


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(-95, "message_expired"), (-85, None), (25, None), (35, "message_ahead")],
)
def test_clocks_may_differ_thirty_seconds(
    world: World, members: Members, seconds: int, code: str | None
) -> None:
    iat = encode_moment(now() + timedelta(seconds=seconds))
    response = world.post(look_up(members["helper"], iat=iat)[0])
    assert (problem(response)["code"] if response.status_code != 200 else None) == code


@pytest.mark.parametrize(
    ("name", "request_class", "code"),
    [
        ("loader", "inquire", "bsn_right_missing"),
        ("school", "inquire", "bsn_right_missing"),
        ("school", "register", "bsn_right_missing"),
        ("helper", "self", "bsn_right_missing"),
        ("portal", "inquire", "bsn_right_missing"),  # self excludes all others
        ("portal", "self", None),
        ("helper", "register", None),
    ],
)
def test_the_class_must_be_among_the_rights(
    world: World, members: Members, name: str, request_class: str, code: str | None
) -> None:
    response = world.post(look_up(members[name], request_class=request_class)[0])
    assert (problem(response)["code"] if response.status_code != 200 else None) == code


def test_a_resident_looks_for_two_persons_at_most(world: World, members: Members) -> None:
    message, _, _ = look_up(members["portal"], 3, "self")
    assert problem(world.post(message))["code"] == "self_elements"


def test_over_quota(world: World, members: Members) -> None:
    helper = members["helper"]
    refused = problem(world.post(look_up(helper, 51, "register")[0]))
    assert (refused["status"], refused["code"]) == (429, "quota_exceeded")


def test_a_first_load_is_taken_from_its_allowance(world: World, members: Members) -> None:
    loader = members["loader"]
    assert world.post(look_up(loader, 50, "register")[0]).status_code == 200
    assert world.post(look_up(loader, 30, "register")[0]).status_code == 200
    assert problem(world.post(look_up(loader, 11, "register")[0]))["status"] == 429
    assert world.post(look_up(loader, 10, "register")[0]).status_code == 200
    assert problem(world.post(look_up(loader, 1, "register")[0]))["status"] == 429


def test_a_refusal_costs_no_quota(world: World, members: Members) -> None:
    def used() -> int:
        status = run("status", "--home", str(world.home))
        rows = {row["id"]: row for row in status["partners"]}
        return int(rows[members["second"].id]["register_today"])

    before = used()
    world.post(look_up(members["second"], 51, "register")[0])
    message = look_up(members["second"], 2, "register")[0]
    world.post(message)
    world.post(message)
    assert used() == before + 2


def bad_element(member: Member, element: str) -> SignedMessage:
    message = look_up(member)[0]
    members = json.loads(message.object)
    return member.sign({**members, "elements": [element], "rid": encode_bytes(os.urandom(16))})


@pytest.mark.parametrize(
    ("element", "code"),
    [
        (encode_bytes(bytes(32)), "group_point"),  # the identity
        (encode_bytes(b"\xff" * 32), "group_point"),
        (BSN, "input_invalid"),
    ],
)
def test_a_point_that_is_none_is_refused(
    world: World, members: Members, element: str, code: str
) -> None:
    refused = world.post(bad_element(members["helper"], element))
    assert problem(refused)["code"] == code
    assert element not in refused.text


def test_unknown_members_are_refused_without_naming_them(world: World, members: Members) -> None:
    message = look_up(members["helper"], 1, **{f"bsn_{BSN}": BSN})[0]
    refused = world.post(message)
    assert problem(refused)["code"] == "input_invalid"
    assert BSN not in refused.text


def test_a_part_is_not_wanted(world: World, members: Members) -> None:
    helper = members["helper"]
    asked = json.loads(look_up(helper)[0].object)
    message = helper.sign({**asked, "rid": encode_bytes(os.urandom(16))}, (b"\0" * 16 + b"x",))
    assert problem(world.post(message))["code"] == "parts_not_wanted"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": BROKER_ID}, "message_audience"),
        ({"aud": [BROKER_ID]}, "message_audience"),
        ({"type": "inquire"}, "message_type"),
        ({"v": 2}, "message_version"),
        ({"iat": "2026-01-31T12:00:00"}, "message_time"),
        ({"rid": BSN}, "message_rid"),
        ({"request_class": "everything"}, "input_invalid"),
        ({"elements": []}, "input_invalid"),
        ({"elements": [encode_bytes(b"x" * 32)] * 1_001}, "input_invalid"),
    ],
)
def test_what_does_not_belong_is_refused(
    world: World, members: Members, changes: dict[str, object], code: str
) -> None:
    helper = members["helper"]
    asked = json.loads(look_up(helper)[0].object)
    changed = {**asked, "rid": encode_bytes(os.urandom(16)), **changes}
    assert problem(world.post(helper.sign(changed)))["code"] == code


def raw(message: SignedMessage, **changes: bytes) -> bytes:
    body = message.to_bytes()
    for old, new in ((key.encode(), value) for key, value in changes.items()):
        body = body.replace(b'"' + old + b'"', new, 1)
    return body


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda body: body[:-1] + b',"object":"AA"}', "json_duplicate_key"),
        (lambda body: body[:-1] + b',"x":NaN}', "json_float"),
        (lambda body: body[:-1] + b',"x":1e5}', "json_float"),
        (lambda body: body[:-1] + b',"x":"\\ud800"}', "json_lone_surrogate"),
        (lambda body: body[:-1] + b',"x":9007199254740993}', "json_big_integer"),
        (lambda body: body[:-1] + b',"x":1}', "message_form"),
        (lambda body: body[:-1], "json_malformed"),
        (lambda body: b"\xff" + body, "json_not_utf8"),
        (lambda _body: b"", "json_malformed"),
        (lambda _body: b"[" * 5_000, "json_too_deep"),
        (lambda body: body.replace(b'"parts":[]', b'"parts":["AA"]'), "message_parts"),
    ],
)
def test_json_that_two_readers_could_take_differently(
    world: World, members: Members, change: object, code: str
) -> None:
    body = look_up(members["helper"])[0].to_bytes()
    assert callable(change)
    assert problem(world.post(change(body)))["code"] == code


def test_an_object_that_is_not_canonical(world: World, members: Members) -> None:
    helper = members["helper"]
    message = look_up(helper)[0]
    for changed in (
        message.object.replace(b"{", b"{ ", 1),
        message.object[:-1] + b',"rid":"AA"}',
    ):
        other = resign(changed, helper)
        assert problem(world.post(other))["code"] == "message_object"


def resign(object_bytes: bytes, member: Member) -> SignedMessage:
    from datwat.protocol.jws import sign_object  # noqa: PLC0415

    signed = sign_object(object_bytes, member.key)
    return SignedMessage(
        object=object_bytes, protected=signed.protected, signature=signed.signature, parts=()
    )


def test_a_changed_object_has_no_signature(world: World, members: Members) -> None:
    message = look_up(members["helper"])[0]
    swapped = message.object.replace(b'"inquire"', b'"register"')
    assert swapped != message.object
    other = message.model_copy(update={"object": swapped})
    assert problem(world.post(other))["code"] == "message_signature"


def test_http_bounds(world: World, members: Members) -> None:
    body = look_up(members["helper"])[0].to_bytes()
    refused = problem(world.post(body + b" " * 1_048_577))
    assert (refused["status"], refused["code"]) == (413, "body_too_large")
    chunks = (b" " * 65_536 for _ in range(20))
    streamed = world.client.post(
        world.url + "/v1/evaluations",
        content=chunks,
        headers={"Content-Type": "application/json"},
    )
    assert problem(streamed)["code"] == "body_too_large"
    for kind in ("text/plain", "application/xml", "application/json; charset=latin1", ""):
        refused = problem(world.post(body, **{"Content-Type": kind}))
        assert (refused["status"], refused["code"]) == (415, "media_type")
    assert problem(world.post(body, Accept="text/html"))["status"] == 406
    assert problem(world.post(body, **{"Content-Encoding": "gzip"}))["status"] == 415


def test_other_addresses_and_methods(world: World) -> None:
    assert problem(world.client.get(world.url + f"/v1/{BSN}"))["code"] == "not_found"
    refused = world.client.get(world.url + "/v1/evaluations")
    assert problem(refused)["status"] == 405
    assert refused.headers["allow"] == "POST"
    assert problem(world.client.get(world.url + "/docs"))["status"] == 404
    assert problem(world.client.get(world.url + "/openapi.json"))["status"] == 404
    assert problem(world.post(b"{}", path="/v1/evaluations/"))["status"] == 404


def test_every_answer_has_the_headers(world: World, members: Members) -> None:
    answers = [
        world.post(look_up(members["helper"])[0]),
        world.post(b"{"),
        world.client.get(world.url + "/v1/health"),
        world.client.get(world.url + "/v1/none"),
        world.client.get(world.url + "/v1/openapi.json"),
    ]
    for answer in answers:
        assert answer.headers["api-version"] == "1.0.0"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "content-type" in answer.headers
        assert "server" not in answer.headers
    assert answers[-1].headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in answers[0].headers


def test_the_openapi_document_tells_the_routes(world: World) -> None:
    document = world.client.get(world.url + "/v1/openapi.json").json()
    assert document["servers"] == [{"url": "/v1"}]
    assert set(document["paths"]) == {*("/evaluations", "/health", "/openapi.json", "/rotations")}
    responses = document["paths"]["/evaluations"]["post"]["responses"]
    assert "422" not in responses
    assert {"200", "400", "403", "409", "429"} <= set(responses)


def test_no_number_and_no_message_reaches_the_log_or_the_database(
    world: World, members: Members
) -> None:
    message, _, elements = look_up(members["helper"])
    answer = read(world.post(message))
    world.post(bad_element(members["helper"], BSN))
    log = world.log.read_bytes()
    assert b'"route":"/v1/evaluations"' in log
    # An answer is kept for a while, α and the object never.
    wanted = [BSN.encode(), message.object, elements[0], encode_bytes(elements[0]).encode()]
    stored = read_whole(read_url(world.home))
    assert members["helper"].id.encode() in stored, "the control: who asked is found"
    for secret in wanted:
        assert secret not in log
        assert secret not in stored
    assert encode_bytes(answer.elements[0]).encode() not in log
    assert all(json.loads(line) for line in log.splitlines())


def test_a_message_of_no_type_of_ours(world: World, members: Members) -> None:
    helper = members["helper"]
    message = build_message({"v": 1}, (), helper.key)
    assert problem(world.post(message))["code"] == "message_type"
    assert problem(world.post(encode_canonical({"a": 1})))["code"] == "message_form"
