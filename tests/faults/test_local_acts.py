"""Everything that an application can say, through its connector's own API to the log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.client import requests as rq
from connectors.client.http import ConnectorClient, ConnectorProblem
from datwat.cli import run as run_datwat
from datwat.protocol.acts import (
    Authority,
    Consent,
    Contact,
    Handler,
    Objection,
    Professional,
    SpecialSituation,
)
from tests.databases import change_rows
from tests.faults.world import (
    NOOR,
    PURPOSE,
    FaultCovenant,
    build_conversation,
    local_member,
    local_opening,
    unmet,
)
from tests.parties import run_command
from tests.party.covenant import now

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("faults-asked")]

KIM = Professional(id="kim", role="regisseur")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def team(asked: FaultCovenant) -> Iterator[ConnectorClient]:
    with asked.connect("social-team") as client:
        yield client


@pytest.fixture(scope="module")
def source(asked: FaultCovenant) -> Iterator[ConnectorClient]:
    with asked.connect("youth-help") as client:
        yield client


def test_an_unknown_client_is_told_from_one_without_entries(
    asked: FaultCovenant, team: ConnectorClient, capsys: pytest.CaptureFixture[str]
) -> None:
    team.open_occasion(local_opening("E", local_member("E-1", 4)))
    home = str(asked.partners["social-team"].home)
    held = run_command("connector", "entries", "--home", home, "--person", "E-1")
    assert [entry["act"] for entry in held["entries"]] == ["open_occasion"]
    for nobody in ("E-2", "", "e-1"):
        command = ["connector", "entries", "--home", home, "--person", nobody]
        assert run_datwat(command) == 1
        assert "No client is known here by this number" in capsys.readouterr().err


@pytest.fixture(scope="module")
def occasion(team: ConnectorClient) -> str:
    """Return the number of an occasion about the client L-6."""
    opened = team.open_occasion(local_opening("L", local_member("L-6", 6)))
    assert unmet(opened.results[0].weighing) == set()
    return "L"


def ask(occasion: str, client: str, professional: Professional = NOOR) -> rq.Ask:
    refs = (rq.ClientRef(client=client),)
    return rq.Ask(professional=professional, clients=refs, occasion=occasion, purpose=PURPOSE)


def require_recorded(covenant: FaultCovenant, size: int, results: Any, state: str) -> None:  # noqa: ANN401
    """Fail unless each result was permitted, is in this state, and has an entry of its own."""
    found = results.results
    assert [unmet(one.weighing) for one in found] == [set() for _ in found]
    assert {one.state for one in found} == {state}
    assert len({one.entry.index for one in found}) == len(found)
    assert covenant.entry_count == size + len(found)


def test_what_was_said_is_recorded(
    asked: FaultCovenant, team: ConnectorClient, occasion: str
) -> None:
    about: dict[str, Any] = {"professional": NOOR, "client": "L-6", "occasion": occasion}
    row = rq.ConversationRow(client="L-6", conversation=build_conversation())
    size = asked.entry_count
    talked = team.record_conversation(
        rq.RecordConversation(professional=NOOR, occasion=occasion, rows=(row,))
    )
    require_recorded(asked, size, talked, "recorded")
    consent = Consent(
        kind="no_objection",
        purpose=PURPOSE,
        product="inkomenssituatie",
        given_by="representative",
        written=True,
        given_at=now(),
        until_at=now() + 90 * DAY,
    )
    consented = team.record_consent(rq.RecordConsent(**about, consent=consent))
    require_recorded(asked, size + 1, consented, "recorded")
    authority = Authority(
        kind="both_parents",
        scope="Both parents decide.",
        source="document",
        checked_at=now(),
        until_at=now() + 30 * DAY,
    )
    authorised = team.record_authority(rq.RecordAuthority(**about, authority=authority))
    require_recorded(asked, size + 2, authorised, "recorded")


def test_an_objection_is_recorded_and_holds(asked: FaultCovenant, team: ConnectorClient) -> None:
    team.open_occasion(local_opening("O", local_member("O-7", 7)))
    before = team.ask_who_is_involved(ask("O", "O-7")).results[0]
    assert before.pointers
    size = asked.entry_count
    objection = Objection(purpose=PURPOSE, reason="I do not want this.", made_at=now())
    objected = team.record_objection(
        rq.RecordObjection(professional=NOOR, client="O-7", occasion="O", objection=objection)
    )
    require_recorded(asked, size, objected, "recorded")
    after = team.ask_who_is_involved(ask("O", "O-7")).results[0]
    # A fact of the person is not told: it looks as if nobody is involved.
    assert after.pointers == ()
    assert after.weighing == before.weighing


def test_a_special_situation_lets_every_member_be_told_later(
    asked: FaultCovenant, team: ConnectorClient
) -> None:
    members = (local_member("M-8", 8), local_member("M-300", 300))
    team.open_occasion(local_opening("M", *members))
    situation = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="m.jansen", role="manager"),
        until_at=now() + 14 * DAY,
        opening="by_person",
        reason="Telling it now would put the child in danger.",
    )
    size = asked.entry_count
    declared = team.declare_special_situation(
        rq.DeclareSpecialSituation(professional=NOOR, occasion="M", special_situation=situation)
    )
    require_recorded(asked, size, declared, "declared")
    found = team.ask_who_is_involved(ask("M", "M-8")).results[0]
    assert found.entry is not None
    assert found.entry.notice == "later"


def test_who_hands_over_may_not_ask_any_more(asked: FaultCovenant, team: ConnectorClient) -> None:
    team.open_occasion(local_opening("H", local_member("H-9", 9)))
    size = asked.entry_count
    handler = Handler(professional="kim", role="coordinator", from_at=now())
    handed = team.hand_over(rq.HandOver(professional=NOOR, occasion="H", handlers=(handler,)))
    require_recorded(asked, size, handed, "handed_over")
    time.sleep(1.1)  # moments are whole seconds
    assert "handler_current" in unmet(team.ask_who_is_involved(ask("H", "H-9")).results[0].weighing)
    assert team.ask_who_is_involved(ask("H", "H-9", KIM)).results[0].pointers


def test_a_wrong_person_is_taken_away_and_both_are_told(
    asked: FaultCovenant, team: ConnectorClient, source: ConnectorClient
) -> None:
    team.open_occasion(local_opening("W", local_member("W-11", 11)))
    assert team.ask_who_is_involved(ask("W", "W-11")).results[0].pointers
    row = rq.RegistrationRow(
        client="W-right",
        record=local_member("W-right", 301).record,
        family_name="Jansen301",
        birth_date=local_member("W-right", 301).birth_date,
        identity="document",
        kind="youth_help",
        contact=Contact(role="Front desk"),
        since_at=now() - DAY,
        told_at=now(),
    )
    assert source.register(rq.Register(professional=NOOR, rows=(row,))).rows[0].failure is None
    size = asked.entry_count
    reported = source.report_wrong_person(
        rq.ReportWrongPerson(professional=NOOR, clients=("K-11", "W-right"), kind="youth_help")
    )
    assert all(one.weighing.permitted for one in reported.results)
    assert reported.results[0].state == "annulled"
    assert asked.entry_count == size + 2
    assert team.ask_who_is_involved(ask("W", "W-11")).results[0].pointers == ()


def request_contact(asked: FaultCovenant, team: ConnectorClient, client: str) -> Any:  # noqa: ANN401
    request = rq.RequestContact(
        professional=NOOR,
        client=rq.ClientRef(client=client),
        occasion="L",
        purpose=PURPOSE,
        source=asked.partners["youth-help"].id,
        call_back=Contact(role="Coordinator", phone="020 111 1111"),
    )
    return team.request_contact(request)


def await_contact(source: ConnectorClient) -> Any:  # noqa: ANN401 - a ContactInfo
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = source.list_contacts().contacts
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("no contact request was delivered")


@pytest.mark.usefixtures("occasion")
def test_a_contact_request_is_seen_overdue_and_answered(
    asked: FaultCovenant, team: ConnectorClient, source: ConnectorClient
) -> None:
    size = asked.entry_count
    sent = request_contact(asked, team, "L-6")
    require_recorded(asked, size, sent, "sent")
    wish = await_contact(source)
    assert (wish.client, wish.state) == ("K-6", "new")
    seen = source.answer_contact(
        rq.AnswerContact(professional=NOOR, contact=wish.number, state="seen")
    )
    require_recorded(asked, size + 1, seen, "seen")
    assert await_contact(source).state == "seen"
    # Five days later (the clock of a process cannot be turned: its record is made older).
    home = asked.partners["youth-help"].home
    ended = int((now() - DAY).timestamp())
    change_rows(home, "UPDATE gateway_contacts SET due_at = :ended", ended=ended)
    assert await_contact(source).state == "overdue"
    answered = source.answer_contact(
        rq.AnswerContact(professional=NOOR, contact=wish.number, state="answered")
    )
    require_recorded(asked, size + 2, answered, "answered")
    assert source.list_contacts().contacts == ()
    for number in (999, 2**31 - 1):  # the largest that a column holds
        with pytest.raises(ConnectorProblem) as caught:
            source.answer_contact(rq.AnswerContact(professional=NOOR, contact=number, state="seen"))
        assert caught.value.code == "contact_unknown"
    with pytest.raises(ValueError, match="contact"):
        rq.AnswerContact(professional=NOOR, contact=2**31, state="seen")
