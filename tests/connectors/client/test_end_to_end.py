"""The client through real processes: key holder, broker with OPA, three partners' connectors."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.client import requests as rq
from connectors.client.http import ConnectorClient, ConnectorProblem
from datwat.protocol.acts import (
    CloseOccasion,
    Contact,
    Conversation,
    Handler,
    Motivation,
    OccasionStatement,
    Professional,
)
from tests.connectors.client.bsns import BSNS
from tests.connectors.client.own_system import OwnSystem
from tests.databases import change_rows, read_rows, read_url, read_whole
from tests.parties import Covenant, PartnerSpec, run_command
from tests.party.covenant import now

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("connector-client")]

NOOR = Professional(id="noor", role="regisseur")
PURPOSE = "coordinate_family_help"
BORN = date(2012, 5, 4)
WHY = "Because the plan of the family depends on knowing this now."
MOTIVATION = Motivation(
    purpose=WHY, subsidiarity=WHY, proportionality=WHY, efficiency=WHY, transparency=WHY
)
RIGHTS = ("Jeugdwet 7.2.1;youth;register,inquire", "Wmo 2015 5.2.9;resident;register,inquire")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> OwnSystem:
    made = OwnSystem(tmp_path_factory.mktemp("own"))
    for place in range(6):
        made.add(f"K-{place}", BSNS[place], f"Jansen{place}", "04-05-2012")
    return made


@pytest.fixture(scope="module")
def covenant(tmp_path_factory: pytest.TempPathFactory, system: OwnSystem) -> Iterator[Covenant]:
    partners = (
        PartnerSpec("social-team", "care", RIGHTS, number=1),
        PartnerSpec("youth-help", "youth", RIGHTS[:1], system.declaration, number=2),
        PartnerSpec("school", "education", number=3),
    )
    with Covenant(tmp_path_factory.mktemp("covenant"), partners) as made:
        yield made


@pytest.fixture(scope="module")
def team(covenant: Covenant) -> Iterator[ConnectorClient]:
    with covenant.connect("social-team") as client:
        yield client


@pytest.fixture(scope="module")
def source(covenant: Covenant) -> Iterator[ConnectorClient]:
    with covenant.connect("youth-help") as client:
        state = client.sync(rq.Sync(professional=NOOR))
        assert (state.state, state.failures) == ("finished", {})
        yield client


def record(place: int) -> rq.BsnRecord:
    return rq.BsnRecord(bsn=BSNS[place], family_name=f"Jansen{place}", birth_date=BORN)


def member(client: str, place: int, **changes: Any) -> rq.Member:  # noqa: ANN401 - of a model
    stated = {
        "client": client,
        "family_name": f"jansen{place}",
        "birth_date": BORN,
        "record": record(place),
        "identity": "document",
        "role": "son",
        "source": "told",
        "told_at": now(),
        "age_band": "12-15",
        "conversation": Conversation(at=now(), told=WHY, reaction="agrees", alternatives=WHY),
    }
    return rq.Member(**{**stated, **changes})


def opening(occasion: str, *members: rq.Member) -> rq.OpenOccasion:
    handler = Handler(professional="noor", role="coordinator", from_at=now() - timedelta(minutes=5))
    opens = OccasionStatement(kind="help_request", team="team-north", handlers=(handler,))
    return rq.OpenOccasion(professional=NOOR, occasion=occasion, opens=opens, members=members)


def ask(occasion: str, *clients: str) -> rq.Ask:
    refs = tuple(rq.ClientRef(client=client) for client in clients)
    return rq.Ask(professional=NOOR, clients=refs, occasion=occasion, purpose=PURPOSE)


def known(occasion: str, client: rq.ClientRef, pointer: int, *fields: str) -> rq.AskKnown:
    return rq.AskKnown(
        professional=NOOR,
        client=client,
        occasion=occasion,
        purpose=PURPOSE,
        pointer=pointer,
        product="jeugdhulp",
        fields=fields,
        motivation=MOTIVATION,
    )


def unmet(weighing: Any) -> list[str]:  # noqa: ANN401 - the weighing of any result
    return [finding.code for finding in weighing.findings if not finding.satisfied]


def test_from_dat_to_wat(team: ConnectorClient, source: ConnectorClient) -> None:
    opened = team.open_occasion(opening("A-1", member("S-1", 0), member("S-0", 5)))
    assert [unmet(result.weighing) for result in opened.results] == [[], []]
    assert all(result.entry is not None for result in opened.results)

    found = team.ask_who_is_involved(ask("A-1", "S-1"))
    (pointer,) = found.results[0].pointers
    assert (pointer.kind, pointer.rung, pointer.contact.role) == ("youth_help", "dat", "Front desk")

    client = rq.ClientRef(client="S-1", record=record(0), family_name="Jansen0", birth_date=BORN)
    got = team.ask_what_is_known(
        known("A-1", client, pointer.pointer, "status", "contact", "start")
    )
    assert got.failure is None
    assert got.values == {"status": "lopend", "contact": "Sam de Boer"}
    assert [field.field for field in got.withheld] == ["start"]
    assert got.identity_checked
    assert got.legal_basis is not None

    closes = CloseOccasion(reason="completed", goals_reached="yes", plan_made=True)
    closed = team.close_occasion(rq.Close(professional=NOOR, occasion="A-1", closes=closes))
    assert all(result.weighing.permitted for result in closed.results)
    refused = team.ask_who_is_involved(ask("A-1", "S-1"))
    assert not refused.results[0].weighing.permitted
    assert refused.results[0].pointers == ()


def test_a_refusal_is_a_result_with_its_proof(team: ConnectorClient) -> None:
    team.open_occasion(opening("A-2", member("S-2", 1)))
    question = ask("A-2", "S-2").model_copy(
        update={"professional": Professional(id="kim", role="colleague")}
    )
    refused = team.ask_who_is_involved(question).results[0]
    assert not refused.weighing.permitted
    assert "handler_current" in unmet(refused.weighing)
    assert refused.entry is not None


def test_sync_registers_reconfirms_and_ends_by_difference(
    covenant: Covenant, source: ConnectorClient, system: OwnSystem
) -> None:
    system.add("K-90", BSNS[90], "Pieters", "04-05-2012")
    system.add("K-91", "12345", "Pieters", "04-05-2012")
    # Whoever files by BSN: the row is not taken, and its number is kept nowhere (the last test).
    system.add(BSNS[101], BSNS[101], "Pieters", "04-05-2012")
    system.add(BSNS[102], BSNS[102], "Pieters", "no date")
    state = source.sync(rq.Sync(professional=NOOR))
    assert (state.registered, state.reconfirmed, state.ended) == (1, 6, 0)
    assert state.failed == 3
    assert state.failures["client_number_is_bsn"] == 1
    for number in ("K-91", BSNS[101], BSNS[102], "K-90"):
        system.remove(number)
    home = str(covenant.partners["youth-help"].home)
    again = run_command("connector", "sync", "--home", home)
    assert (again["registered"], again["reconfirmed"], again["ended"]) == (0, 6, 1)


def test_the_declaration_fits_the_signed_bundle(
    covenant: Covenant, source: ConnectorClient
) -> None:
    home = str(covenant.partners["youth-help"].home)
    found = run_command("connector", "check", "--home", home)["findings"]
    assert [finding for finding in found if finding["severity"] == "error"] == []


def test_the_same_registration_twice_is_one(source: ConnectorClient) -> None:
    row = rq.RegistrationRow(
        client="K-1",
        kind="youth_help",
        contact=Contact(role="Front desk"),
        since_at=now() - timedelta(days=3),
    )
    results = source.register(rq.Register(professional=NOOR, rows=(row, row))).rows
    assert [result.failure for result in results] == [None, None]
    assert {result.action for result in results} == {"reconfirm"}


def test_another_name_sends_nothing_and_another_row_goes_on(source: ConnectorClient) -> None:
    base: dict[str, Any] = {
        "kind": "youth_help",
        "contact": Contact(role="Front desk"),
        "since_at": now() - timedelta(days=3),
        "told_at": now(),
    }
    wrong = rq.RegistrationRow(
        client="N-1", record=record(7), family_name="Bakker", birth_date=BORN, **base
    )
    bare = rq.RegistrationRow(client="N-2", **base)
    right = rq.RegistrationRow(
        client="N-3",
        record=record(8),
        family_name="JANSEN8",
        birth_date=BORN,
        identity="document",
        **base,
    )
    by_bsn = right.model_copy(update={"client": BSNS[8]})
    rows = source.register(rq.Register(professional=NOOR, rows=(wrong, bare, right, by_bsn))).rows
    failures = ["identity_mismatch", "identity_missing", None, "client_number_is_bsn"]
    assert [row.failure for row in rows] == failures
    assert rows[2].result is not None
    assert rows[2].result.weighing.permitted, unmet(rows[2].result.weighing)
    end = rq.EndingRow(client="N-3", kind="youth_help", ends="entered_in_error")
    ended = source.end(rq.End(professional=NOOR, rows=(end, end))).rows
    assert ended[0].result is not None
    assert ended[0].result.weighing.permitted


def test_a_contact_request_reaches_the_source_and_reveals_nothing(
    covenant: Covenant, team: ConnectorClient, source: ConnectorClient
) -> None:
    team.open_occasion(opening("A-3", member("S-3", 2), member("S-4", 300)))
    answers = []
    for client in ("S-3", "S-4"):
        request = rq.RequestContact(
            professional=NOOR,
            client=rq.ClientRef(client=client),
            occasion="A-3",
            purpose=PURPOSE,
            source=covenant.partners["youth-help"].id,
            call_back=Contact(role="Coordinator", phone="020 111 1111"),
        )
        answers.append(team.request_contact(request).results[0])
    assert answers[0].weighing == answers[1].weighing
    assert answers[0].state == answers[1].state == "sent"
    wish = wait_for_contact(source)
    assert (wish.client, wish.call_back.phone) == ("K-2", "020 111 1111")
    answer = rq.AnswerContact(professional=NOOR, contact=wish.number, state="answered")
    assert source.answer_contact(answer).results[0].weighing.permitted
    assert source.list_contacts().contacts == ()


def wait_for_contact(source: ConnectorClient) -> Any:  # noqa: ANN401 - a ContactInfo
    until = time.monotonic() + 10
    while time.monotonic() < until:
        contacts = source.list_contacts().contacts
        if contacts:
            return contacts[0]
        time.sleep(0.05)
    raise AssertionError("no contact request was delivered")


def test_a_school_without_a_bsn_right_uses_a_code_once(
    covenant: Covenant, team: ConnectorClient
) -> None:
    team.open_occasion(opening("A-4", member("S-5", 3)))
    introduced = team.introduce(
        rq.Introduce(
            professional=NOOR,
            occasion="A-4",
            clients=(rq.ClientRef(client="S-5"),),
            to=covenant.partners["school"].id,
            role="son",
        )
    ).results[0]
    assert introduced.introduction is not None, unmet(introduced.weighing)
    teacher = Professional(id="noor", role="teacher")
    redeem = rq.RedeemIntroduction(
        professional=teacher,
        code=introduced.introduction,
        client="P-1",
        registers=rq.RegistrationRow(
            client="P-1",
            kind="school_care",
            contact=Contact(role="Teacher"),
            since_at=now() - timedelta(days=3),
            told_at=now(),
        ),
    )
    with covenant.connect("school") as school:
        redeemed = school.redeem_introduction(redeem).results[0]
        assert redeemed.weighing.permitted, unmet(redeemed.weighing)
        with pytest.raises(ConnectorProblem):
            school.redeem_introduction(redeem)


def test_what_the_source_cannot_give_is_a_typed_failure(
    team: ConnectorClient, source: ConnectorClient, system: OwnSystem
) -> None:
    team.open_occasion(opening("A-5", member("S-6", 4)))
    pointer = team.ask_who_is_involved(ask("A-5", "S-6")).results[0].pointers[0].pointer
    system.run("UPDATE traject SET bsn = ? WHERE klantnr = ?", BSNS[77], "K-4")
    client = rq.ClientRef(client="S-6")
    other = team.ask_what_is_known(known("A-5", client, pointer, "status"))
    assert (other.values, other.failure) == (None, "source_other_person")
    system.run("DELETE FROM traject WHERE klantnr = ?", "K-4")
    gone = team.ask_what_is_known(known("A-5", client, pointer, "status"))
    assert (gone.values, gone.failure) == (None, "source_has_no_record")


def test_nobody_without_a_token_and_no_value_in_a_problem(covenant: Covenant) -> None:
    party = covenant.partners["social-team"]
    url = party.url("local") + "/local/v1/inquiries"
    headers = {"Authorization": f"Bearer {party.token}", "Content-Type": "application/json"}
    with httpx.Client(trust_env=False) as client:
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": party.token}):
            sent = {"Content-Type": "application/json", **wrong}
            refused = client.post(url, content=b"{}", headers=sent)
            assert (refused.status_code, refused.json()["code"]) == (401, "token_refused")
        for body in (
            b'{"bsn": "999990019"}',
            b'{"client": 999990019}',
            b'{"a": 1, "a": 2}',
            b'{"a": NaN}',
            b"\xff",
        ):
            refused = client.post(url, content=body, headers=headers)
            assert refused.status_code == 400
            assert b"99999" not in refused.content
        document = client.get(party.url("local") + "/local/v1/openapi.json").json()
        assert "/inquiries" in document["paths"]
        # The gateway's listener knows nothing of the local API, and the other way round.
        assert client.post(party.url() + "/local/v1/inquiries", json={}).status_code == 404
        assert client.post(party.url("local") + "/v1/orders", json={}).status_code == 404


def test_numbers_that_lead_nowhere_send_nothing(team: ConnectorClient) -> None:
    cases = (
        (ask("A-9", "S-1"), "reference_unknown"),
        (ask("A-1", "S-1").model_copy(update={"purpose": "no_such_purpose"}), "purpose_unknown"),
        (ask("A-1", "S-99"), "identity_missing"),
    )
    for request, code in cases:
        with pytest.raises(ConnectorProblem) as caught:
            team.ask_who_is_involved(request)
        assert caught.value.code == code
    with pytest.raises(ConnectorProblem) as caught:
        team.ask_what_is_known(known("A-1", rq.ClientRef(client="S-1"), 10_000, "status"))
    assert caught.value.code == "reference_unknown"
    with pytest.raises(ConnectorProblem) as caught:
        team.open_occasion(opening("A-1", member("S-1", 0)))
    assert caught.value.code == "reference_taken"


def test_the_same_numbers_work_after_a_restart(covenant: Covenant, team: ConnectorClient) -> None:
    team.open_occasion(opening("A-6", member("S-7", 5)))
    party = covenant.partners["social-team"]
    assert party.stop() == 0
    party.restart()
    with covenant.connect("social-team") as again:
        assert again.ask_who_is_involved(ask("A-6", "S-7")).results[0].weighing.permitted


def test_what_is_over_ends_inside_serve_and_status_says_so(covenant: Covenant) -> None:
    party = covenant.partners["social-team"]
    assert party.stop() == 0
    long_ago = int((now() - timedelta(days=366)).timestamp())
    needle, add = b"needle in a heap", "INSERT INTO pointers (client, reference, shown_at)"
    change_rows(party.home, f"{add} VALUES ('S-old', :needle, :at)", needle=needle, at=long_ago)
    assert needle in read_whole(read_url(party.home))
    party.restart()
    status: dict[str, Any] = {}
    until = time.monotonic() + 20
    while not status.get("housekeeping_at") and time.monotonic() < until:
        status = run_command("connector", "status", "--home", str(party.home))
    assert (status["housekeeping_ended"], status["housekeeping_failed"]) == ("pointers=1", False)
    assert needle not in read_whole(read_url(party.home))


def test_a_question_outlives_a_broker_that_was_killed(
    covenant: Covenant, team: ConnectorClient
) -> None:
    team.open_occasion(opening("A-7", member("S-8", 9)))
    covenant.broker.stop(signal.SIGKILL)
    with ThreadPoolExecutor(1) as thread, covenant.connect("social-team") as other:
        asked = thread.submit(other.ask_who_is_involved, ask("A-7", "S-8"))
        covenant.broker.restart()
        assert asked.result(timeout=30).results[0].entry is not None


def test_a_sync_that_stopped_is_taken_up_with_the_same_bytes(
    covenant: Covenant, source: ConnectorClient, system: OwnSystem
) -> None:
    for place in range(100, 400):
        system.add(f"B-{place}", BSNS[place], "Bos", "04-05-2012")
    party = covenant.partners["youth-help"]
    party.stop()
    party.environment["DATWAT_PATIENCE_SECONDS"] = "2"
    party.restart()
    covenant.broker.stop(signal.SIGKILL)
    with covenant.connect("youth-help") as client:
        stopped = client.sync(rq.Sync(professional=NOOR))
        assert (stopped.state, stopped.failures) == ("stopped", {"peer_unreachable": 1})
        sent = read_evidence(party.home)
        assert list(sent.values()).count("pending") == 1
        covenant.broker.restart()
        taken_up = client.sync(rq.Sync(professional=NOOR))
    assert (taken_up.run, taken_up.state) == (stopped.run, "finished"), taken_up
    assert (taken_up.registered, taken_up.reconfirmed) == (300, 6), taken_up
    assert (taken_up.failed, taken_up.total) == (0, 306), taken_up
    # Nothing was sent beside what was on record: that very message was answered.
    expected = {message: state.replace("pending", "answered") for message, state in sent.items()}
    assert read_evidence(party.home) == expected


def read_evidence(home: Path) -> dict[bytes, str]:
    """Return the messages of a connector's syncs and what became of them."""
    return dict(read_rows(home, "SELECT message, state FROM evidence WHERE act = 'register'"))


def test_no_bsn_lies_in_any_file_of_any_party(
    covenant: Covenant, system: OwnSystem, source: ConnectorClient
) -> None:
    used = [bsn.encode() for bsn in (*BSNS[:10], *BSNS[100:110])]
    assert any(number in system.database.read_bytes() for number in used)
    held = {str(path): path.read_bytes() for path in covenant.folder.rglob("*") if path.is_file()}
    assert len(held) > 20
    held |= {party.id: read_whole(read_url(party.home)) for party in covenant.parties}
    leaks = [name for name, content in held.items() for number in used if number in content]
    assert leaks == []
