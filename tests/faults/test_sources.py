"""A source that is down, slow, wrong or somebody else: nothing passes, and the log says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.client import requests as rq
from connectors.identity_key import load_signing_key
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import OutcomeCore
from datwat.protocol.values import encode_bytes
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults import sources
from tests.faults.sources import Reply, build_envelope, serve
from tests.faults.world import (
    FIELDS,
    MOTIVATION,
    NOOR,
    PURPOSE,
    Direct,
    FaultCovenant,
    Seen,
    build_release,
    local_member,
    local_opening,
    open_child,
    unmet,
)


@pytest.fixture(scope="module")
def child(asked: FaultCovenant) -> Seen:
    with Direct(asked, "social-team") as team:
        return open_child(team, BSNS[1])


@pytest.fixture(scope="module")
def port(asked: FaultCovenant, child: Seen) -> Iterator[int]:
    """Return the port at which the broker looks for the source, free for a while."""
    source = asked.partners["youth-help"]
    number = source.running.ports["api"]
    source.stop()
    yield number
    source.restart()


def choose_reply(how: str, asked: FaultCovenant) -> Reply:
    own = load_signing_key(asked.partners["youth-help"].home)
    other = load_signing_key(asked.partners["school"].home)
    answers: dict[str, Reply] = {
        "slow": sources.wait_long,
        "garbage": lambda _path, _body: (200, b"\xff\x00 no JSON"),
        "empty": lambda _path, _body: (200, b"{}"),
        "more fields": lambda _path, body: (200, build_envelope(body, own, [*FIELDS, "start"])),
        "fewer fields": lambda _path, body: (200, build_envelope(body, own, FIELDS[:1])),
        "another source": lambda _path, body: (
            200,
            build_envelope(body, other, FIELDS, issuer=asked.partners["school"].id),
        ),
        "a stranger's key": lambda _path, body: (
            200,
            build_envelope(body, SigningKey.generate(), FIELDS),
        ),
    }
    return answers[how]


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("slow", "source_too_slow"),
        ("garbage", "source_answer_invalid"),
        ("empty", "source_answer_invalid"),
        ("more fields", "source_fields_differ"),
        ("fewer fields", "source_fields_differ"),
        ("another source", "source_answer_invalid"),
        ("a stranger's key", "source_answer_invalid"),
    ],
)
@pytest.mark.usefixtures("port")
def test_what_a_source_answers_wrongly_never_passes(
    asked: FaultCovenant, asked_team: Direct, child: Seen, how: str, failure: str
) -> None:
    source = asked.partners["youth-help"]
    size, port = asked.log_size, int(asked.trust_list.partners[-1].gateway_url.rpartition(":")[2])
    sent = build_release(asked_team, child, source.id)
    with serve(port, choose_reply(how, asked)) as came:
        answer = asked_team.verify(asked_team.send(sent), sent)
    assert len(came) == 1
    require_failed(asked, answer.persons[0].core, size, failure)
    part = answer.persons[0].part
    assert (part.fields, part.failure, answer.envelope) == ((), failure, None)  # type: ignore[union-attr]
