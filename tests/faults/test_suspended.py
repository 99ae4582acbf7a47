"""A partner that is closed is refused by every party, at once or with the next reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from connectors.client.http import ConnectorProblem
from connectors.client.outgoing import Person, build_envelope_members, draw_rid
from datwat.party import trust_draft, trust_signing
from datwat.protocol import group
from datwat.protocol.acts import Statement
from datwat.protocol.signing import SignedMessage, build_message
from datwat.protocol.values import encode_bytes
from tests.faults.test_bad_input import load_broker_key
from tests.faults.world import (
    NOOR,
    Direct,
    FaultCovenant,
    Seen,
    build_release,
    local_member,
    local_opening,
)
from tests.parties import run_command
from tests.party.covenant import now

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-asked")]

REFRESH_SECONDS = 20.0
HEARD = "order_other_rid"  # the requester is in force, and the order is looked at further


@pytest.fixture
def team(asked: FaultCovenant) -> Iterator[Direct]:
    """Return the partner that is closed in these tests, which no other test needs."""
    with Direct(asked, "debt-counselling") as direct:
        yield direct


def look_up(team: Direct) -> httpx.Response:
    element = group.multiply_base(group.random_scalar())
    message = team.build_lookup_message([element], "inquire", draw_rid())
    return team.post(team.covenant.key_holder, "/v1/evaluations", message.to_bytes())


def ask(team: Direct) -> httpx.Response:
    extra: dict[str, Any] = {"purpose": team.purpose(), "rung": "dat"}
    statement = Statement(professional=NOOR)
    return team.send(team.build("inquire", [Person(handle=bytes(16))], statement, **extra))


def order(team: Direct) -> httpx.Response:
    """Send the source an order for this partner's request, signed by the broker, with no proof."""
    covenant, source = team.covenant, team.covenant.partners["youth-help"]
    request = SignedMessage.from_bytes(
        build_release(team, Seen(bytes(16), bytes(16), bytes(16)), source.id).wire
    )
    members = {
        **build_envelope_members("order", covenant.broker.id, source.id, now(), draw_rid()),
        "has_statement": False,
        "has_ticket": False,
        "request_object": encode_bytes(request.object),
        "request_protected": encode_bytes(request.protected),
        "request_signature": encode_bytes(request.signature),
        "core": encode_bytes(b"{}"),
        "payload_hash": encode_bytes(bytes(32)),
        "tag": encode_bytes(bytes(32)),
    }
    message = build_message(members, (), load_broker_key(covenant)).to_bytes()
    body = {
        "v": 1,
        "message": encode_bytes(message),
        "involvement": encode_bytes(bytes(16)),
        "receipt": {"index": 0, "path": []},
        "checkpoint": "-",
        "consistency": {"from_size": 0, "to_size": 0, "path": []},
        "cosigned": "-",
    }
    return team.post(source, "/v1/orders", httpx.Request("POST", "http://-", json=body).read())


def await_code(send: Callable[[Direct], httpx.Response], team: Direct, code: str) -> httpx.Response:
    """Send anew until the answer has this code; fail if that takes longer than a refresh."""
    until = time.monotonic() + REFRESH_SECONDS
    while True:
        answer = send(team)
        if answer.status_code != 200 and answer.json()["code"] == code:
            return answer
        assert time.monotonic() < until, answer.text
        time.sleep(0.2)


def test_the_key_holder_s_staff_close_a_partner_at_once(team: Direct) -> None:
    home = ["--home", str(team.covenant.key_holder.home)]
    assert look_up(team).status_code == 200
    run_command("keyholder", "disable", team.id, *home)
    refused = look_up(team)
    assert (refused.status_code, refused.json()["code"]) == (403, "partner_not_open")
    with (
        team.covenant.connect("debt-counselling") as own,
        pytest.raises(ConnectorProblem) as caught,
    ):
        own.open_occasion(local_opening("Z-1", local_member("Z-1", 9)))
    assert caught.value.code == "peer_refused"
    assert "partner_not_open" in caught.value.detail
    run_command("keyholder", "enable", team.id, *home)
    assert look_up(team).status_code == 200


def test_the_broker_s_staff_suspend_a_partner_at_once(team: Direct) -> None:
    home = ["--home", str(team.covenant.broker.home)]
    assert ask(team).json()["code"] == "handle_unknown"
    size = team.covenant.entry_count
    run_command("broker", "suspend", team.id, *home)
    refused = ask(team)
    assert (refused.status_code, refused.json()["code"]) == (403, "partner_suspended")
    run_command("broker", "resume", team.id, *home)
    assert ask(team).json()["code"] == "handle_unknown"
    assert team.covenant.entry_count == size


def test_a_list_that_expires_closes_everything_until_there_is_a_new_one(
    asked: FaultCovenant, team: Direct
) -> None:
    own = asked.partners["social-team"]
    with asked.connect("social-team") as local:
        opened = local.open_occasion(local_opening("Z-2", local_member("Z-2", 10)))
        assert opened.results[0].weighing.permitted
        sign_until(asked, seconds=4)
        for send in (look_up, ask, order):
            answer = await_code(send, team, "trust_list_expired")
            assert answer.status_code == 503
        with pytest.raises(ConnectorProblem) as caught:
            local.open_occasion(local_opening("Z-3", local_member("Z-3", 10)))
        assert (caught.value.status, caught.value.code) == (503, "trust_list_expired")
        run_command("trust", "sign", "--folder", str(asked.trust))
        await_code(ask, team, "handle_unknown")
        await_code(order, team, HEARD)
        until = time.monotonic() + REFRESH_SECONDS
        while look_up(team).status_code != 200:
            assert time.monotonic() < until
        while run_command("connector", "status", "--home", str(own.home))["list_expired"]:
            assert time.monotonic() < until
        assert local.open_occasion(local_opening("Z-3", local_member("Z-3", 10))).results


def sign_until(asked: FaultCovenant, *, seconds: int) -> None:
    """Sign a list that is valid for a few seconds: the command signs for whole days."""
    keys = trust_signing.read_keys(sorted(asked.trust.glob(trust_draft.KEY_PATTERN)))
    at = now() - timedelta(days=1) + timedelta(seconds=seconds)
    assert trust_signing.sign_draft(asked.trust, keys, now=at, days=1).is_complete


def test_a_covenant_that_ends_closes_the_partner_everywhere_with_the_next_reading(
    team: Direct,
) -> None:
    covenant = team.covenant
    await_code(order, team, HEARD)
    size = covenant.entry_count
    run_command("trust", "suspend", team.id, "--folder", str(covenant.trust))
    run_command("trust", "sign", "--folder", str(covenant.trust))
    for send in (look_up, ask, order):
        refused = await_code(send, team, "covenant_expired")
        assert refused.status_code == 403
    with covenant.connect("debt-counselling") as own, pytest.raises(ConnectorProblem) as caught:
        own.open_occasion(local_opening("Z-4", local_member("Z-4", 9)))
    assert caught.value.code == "peer_refused"
    assert "covenant_expired" in caught.value.detail
    assert covenant.entry_count == size
    with Direct(covenant, "social-team") as other:
        assert look_up(other).status_code == 200
