"""A source that is down, slow, wrong or somebody else: nothing passes, and the log says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.client import requests as rq
from connectors.client.results import ReleaseResult
from connectors.client.verification import VerifiedAnswer
from connectors.identity_key import load_signing_key
from datwat.protocol.answers import ReleasePart
from datwat.protocol.keys import SigningKey
from datwat.protocol.messages import OutcomeCore
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.faults import sources
from tests.faults.sources import Reply, build_envelope, serve
from tests.faults.world import (
    FIELDS,
    MARKER,
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
)

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-asked")]


@pytest.fixture(scope="module")
def child(asked: FaultCovenant) -> Seen:
    with Direct(asked, "social-team") as team:
        return open_child(team, BSNS[1])


@pytest.fixture(scope="class")
def port(asked: FaultCovenant, child: Seen) -> Iterator[int]:
    """Return the port at which the broker looks for the source, which is stopped meanwhile."""
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


def require_failed(asked: FaultCovenant, answer: VerifiedAnswer, size: int, failure: str) -> None:
    """Fail unless nothing passed, and the entry of the outcome, which is proved, says why."""
    (person,) = answer.persons
    assert isinstance(person.core, OutcomeCore)
    assert isinstance(person.part, ReleasePart)
    assert (person.core.failure, person.core.envelope_hash) == (failure, None)
    assert (person.part.failure, person.part.fields, answer.envelope) == (failure, (), None)
    assert person.index == size + 1
    assert asked.entry_count == size + 2
    assert asked.find_marker() == []


class TestWithAnotherInItsPlace:
    @pytest.mark.parametrize(
        "wrong",
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
    def test_what_a_source_answers_wrongly_never_passes(
        self, asked_team: Direct, child: Seen, port: int, wrong: tuple[str, str]
    ) -> None:
        (how, failure), asked = wrong, asked_team.covenant
        size = asked.entry_count
        sent = build_release(asked_team, child, asked.partners["youth-help"].id)
        with serve(port, choose_reply(how, asked)) as came:
            response = asked_team.send(sent)
        assert len(came) == 1
        require_failed(asked, asked_team.verify(response, sent), size, failure)
        assert MARKER.encode() not in response.content

    @pytest.mark.usefixtures("port")
    def test_a_source_that_is_down_is_a_typed_failure_for_an_application(
        self, asked: FaultCovenant, asked_team: Direct, child: Seen
    ) -> None:
        size = asked.entry_count
        sent = build_release(asked_team, child, asked.partners["youth-help"].id)
        require_failed(
            asked, asked_team.verify(asked_team.send(sent), sent), size, "source_unreachable"
        )
        got = ask_locally(asked, "D-1", 1)
        assert (got.values, got.failure, got.entry is not None) == (
            None,
            "source_unreachable",
            True,
        )


def ask_locally(asked: FaultCovenant, number: str, place: int) -> ReleaseResult:
    """Open an occasion by the local API, and ask what the source knows."""
    with asked.connect("social-team") as team:
        team.open_occasion(local_opening(number, local_member(number, place)))
        client = rq.ClientRef(client=number)
        question = rq.Ask(professional=NOOR, clients=(client,), occasion=number, purpose=PURPOSE)
        pointer = team.ask_who_is_involved(question).results[0].pointers[0].pointer
        known = rq.AskKnown(
            professional=NOOR,
            client=client,
            occasion=number,
            purpose=PURPOSE,
            pointer=pointer,
            product="jeugdhulp",
            fields=tuple(FIELDS),
            motivation=MOTIVATION,
        )
        return team.ask_what_is_known(known)


@pytest.mark.parametrize(
    ("place", "change", "failure"),
    [
        (2, f"UPDATE traject SET bsn = '{BSNS[77]}'", "source_other_person"),
        (3, f"UPDATE traject SET st = '{MARKER}'", "source_answer_invalid"),
        (4, "DELETE FROM traject", "source_has_no_record"),
    ],
)
def test_what_is_wrong_in_the_source_s_own_system_never_passes(
    asked_team: Direct, asked_system: OwnSystem, place: int, change: str, failure: str
) -> None:
    asked = asked_team.covenant
    child = open_child(asked_team, BSNS[place])
    asked_system.run(f"{change} WHERE klantnr = 'K-{place}'")
    size = asked.entry_count
    sent = build_release(asked_team, child, asked.partners["youth-help"].id)
    response = asked_team.send(sent)
    require_failed(asked, asked_team.verify(response, sent), size, failure)
    got = ask_locally(asked, f"D-{place}", place)
    assert (got.values, got.failure) == (None, failure)


def test_a_source_that_is_up_again_delivers(asked: FaultCovenant, asked_team: Direct) -> None:
    child = open_child(asked_team, BSNS[1])
    sent = build_release(asked_team, child, asked.partners["youth-help"].id)
    assert asked_team.verify(asked_team.send(sent), sent).envelope is not None
    assert ask_locally(asked, "D-0", 1).values == {"status": "lopend", "contact": "Sam de Boer"}
