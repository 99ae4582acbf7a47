"""The pages of one's own work through real processes, by forms alone: no browser, no script."""

from __future__ import annotations

import re
import signal
import time
from datetime import date, timedelta

import pytest

from connectors.client import requests as rq
from datwat.protocol.acts import Contact, Motivation
from tests.connectors.client.bsns import BSNS
from tests.connectors.own_work.staff_world import (
    BORN,
    HOSTILE,
    NOOR,
    PURPOSE,
    WHY,
    StaffWorld,
    Worker,
    as_staff,
    soon,
)

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("staff-pages"),
    pytest.mark.timeout(300),
]
TODAY = date.today().isoformat()  # noqa: DTZ011 - what somebody types
SPOKEN = {"when": TODAY, "what": WHY, "alternatives": WHY, "reaction": "agrees"}
RECORDED = "recorded what you were told"
TURN = "Ja\u202eeen"


def test_a_conversation_is_recorded_once_and_then_the_person_was_told(
    staff_world: StaffWorld,
) -> None:
    staff_world.open("B-1", 0, kind="signal", inform_by=soon(3), told=False)
    with as_staff(staff_world, "social-team", "noor") as noor:
        path = noor.find("B-1")
        assert "B-1-0" in noor.read("/to-tell")
        assert "Not told yet" in noor.read(path)
        form = noor.read_form(f"{path}/conversation")
        before = noor.read("/asked?what=all").count(RECORDED)
        fields = {"person": "0", **SPOKEN, "what": f"{HOSTILE}\r\nIn two lines."}
        first = noor.send(f"{path}/conversation", form, **fields)
        again = noor.send(f"{path}/conversation", form, **fields)
        assert (first.status_code, first.headers["location"]) == (303, path)
        assert (again.status_code, again.headers["location"]) == (303, path)
        page = noor.read(path)
        assert "Not told yet" not in page
        assert "One conversation" in page
        assert "In two lines." in page
        assert "<script>alert" not in page
        assert "{{7*7}}" in page
        assert "B-1-0" not in noor.read("/to-tell")
        assert noor.read("/asked?what=all").count(RECORDED) == before + 1


def test_somebody_known_by_two_numbers_is_one_person(staff_world: StaffWorld) -> None:
    """Acts name them by the first one; what was told stands on the page of the other one too."""
    for number in ("B-11", "B-12"):
        staff_world.open(number, 6, told=False)
    with as_staff(staff_world, "social-team", "noor") as noor:
        path = noor.find("B-12")
        form = noor.read_form(f"{path}/conversation")
        fields = {"person": "0", **SPOKEN, "what": "Told under the second number."}
        noor.send(f"{path}/conversation", form, **fields)
        page = noor.read(path)
        assert "Told under the second number." in page
        assert "Not told yet" not in page
        assert "Not told yet" in noor.read(noor.find("B-11"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Choose about whom it is."),
        ({"person": "9"}, "Choose about whom it is."),
        ({"person": "0", "when": "2999-01-01"}, "This date cannot be right."),
        ({"person": "0", "what": TURN}, "There is a sign in this that cannot be sent."),
        ({"person": "0", "what": "x" * 2_001}, "Make it shorter: 2000 signs at most."),
        ({"person": "0", "reaction": "not_told"}, "Choose how the person reacted."),
    ],
)
def test_what_is_wrong_with_a_conversation_is_said_and_nothing_is_lost(
    staff_world: StaffWorld, changes: dict[str, str], sentence: str
) -> None:
    with as_staff(staff_world, "social-team", "noor") as noor:
        if "B-2" not in noor.read("/own"):
            staff_world.open("B-2", 1)
        path = noor.find("B-2")
        fields = {**SPOKEN, "alternatives": "What was typed stays.", **changes}
        refused = noor.send(f"{path}/conversation", **fields)
        assert refused.status_code == 422
        assert sentence in refused.text
        assert "What was typed stays." in refused.text


def test_an_occasion_is_handed_over_and_seen_by_who_works_on_it_only(
    staff_world: StaffWorld,
) -> None:
    staff_world.open("B-3", 2)
    with (
        as_staff(staff_world, "social-team", "noor") as noor,
        as_staff(staff_world, "social-team", "kim") as kim,
    ):
        path = noor.find("B-3")
        kim.read(path, status=404)
        assert "B-3" not in kim.read("/own")
        page = noor.do(f"{path}/team", role_0="second", staff="Kim ", role="coordinator")
        assert "kim" in page
        assert "B-3" in kim.read("/own")
        wrong = noor.send(
            f"{path}/team", role_0="second", role_1="leaves", staff="not an id!", role=""
        )
        assert wrong.status_code == 422
        gone = noor.do(f"{path}/team", role_0="leaves", role_1="coordinator")
        assert "You do not work on it any more." in gone
        noor.read(path, status=404)
        noor.read(f"{path}/close", status=404)
        assert kim.send(f"{path}/team", role_0="leaves").status_code == 422
        closed = kim.do(f"{path}/close", reason="completed", goals="partly", plan="yes")
        assert "Nobody can ask on it any more." in closed
        kim.read(path, status=404)


def test_a_code_is_shown_once_and_used_once_by_its_partner(staff_world: StaffWorld) -> None:
    staff_world.open("B-4", 3)
    with (
        as_staff(staff_world, "social-team", "noor") as noor,
        as_staff(staff_world, "school", "meester") as teacher,
        as_staff(staff_world, "youth-help", "kim") as kim,
    ):
        path, school = noor.find("B-4"), staff_world.covenant.partners["school"].id
        slip = noor.do(f"{path}/introduce", person="0", partner=school)
        code = re.sub(r"<[^>]*>", "", slip[slip.index("<code>") : slip.index("</code>")])
        assert re.fullmatch(r"([0-9A-Z]{4}-){6}[0-9A-Z]{4}", code), code
        assert "The code was shown once" in noor.read(f"{path}/code")
        spoiled = ("1" if code[0] != "1" else "2") + code[1:]
        refused = teacher.send(
            "/redeem",
            code=spoiled,
            number="P-1",
            use="register",
        )
        assert "This code is not right." in refused.text
        fields = {"kind": "school_care", "since": TODAY, "role": "Mentor", "phone": "010 1"}
        kim.do("/redeem", code=code, number="X-1", use="register")
        stolen = kim.send(
            "/redeem/register",
            **{**fields, "kind": "youth_help"},
            told="yes",
        )
        assert (stolen.status_code, "This code does not work here" in stolen.text) == (422, True)
        teacher.do("/redeem", code=code.lower().replace("-", " "), number="P-1", use="register")
        done = teacher.do("/redeem/register", **fields, told="yes")
        assert "It is registered that your organisation is involved." in done
        teacher.do("/redeem", code=code, number="P-1", use="open")
        opening = {"kind": "help_request", "occasion": "S-1", "team": "Zorgteam", "role": "pupil"}
        spent = teacher.send(
            "/redeem/open",
            **opening,
            age="12-15",
            told="no",
        )
        assert "This code does not work here" in spent.text


def test_a_code_opens_an_occasion(staff_world: StaffWorld) -> None:
    staff_world.open("B-5", 4)
    with (
        as_staff(staff_world, "social-team", "noor") as noor,
        as_staff(staff_world, "school", "meester") as teacher,
    ):
        path, school = noor.find("B-5"), staff_world.covenant.partners["school"].id
        slip = noor.do(f"{path}/introduce", person="0", partner=school)
        code = re.sub(r"<[^>]*>", "", slip[slip.index("<code>") : slip.index("</code>")])
        teacher.do("/redeem", code=code, number="P-5", use="open")
        opening = {"kind": "help_request", "occasion": "S-5", "team": "Zorgteam", "role": "pupil"}
        page = teacher.do("/redeem/open", **opening, age="12-15", told="yes", **SPOKEN)
        assert "The occasion is open." in page
        assert "P-5" in page
        assert "S-5" in teacher.read("/own")


def test_a_call_waits_until_it_is_answered(staff_world: StaffWorld) -> None:
    staff_world.open("B-6", 5)
    with as_staff(staff_world, "youth-help", "kim") as kim:
        assert "Nobody waits for a call" in kim.read("/contacts")
        ask_for_contact(staff_world, "B-6", "B-6-5")
        page = wait_for(kim, "/contacts", "020 111 1111")
        assert "Jansen5 (K-5)" in page
        assert "Not seen yet" in page
        number = re.search(r'name="contact" value="(\d+)"', page)
        assert number
        seen = kim.do("/contacts", contact=number[1], state="seen")
        assert "is told that you saw the request" in seen
        assert 'value="seen"' not in seen
        late = kim.read_form("/contacts")
        done = kim.do("/contacts", contact=number[1], state="answered")
        assert "The request is done." in done
        assert "Nobody waits for a call" in done
        again = kim.send("/contacts", late, contact=number[1], state="answered")
        assert again.headers["location"] == "/contacts"
        assert "This request is no longer here" in kim.read("/contacts")


def test_the_urgent_route_gives_contact_for_a_typed_reason(staff_world: StaffWorld) -> None:
    source = staff_world.covenant.partners["youth-help"].id
    fields = {"number": "U-6", "name": "Jansen6", "born": BORN.isoformat(), "age": "12-15"}
    fields |= {"source": source, "purpose": PURPOSE, "phone": "020 222 2222"}
    with (
        as_staff(staff_world, "social-team", "noor") as noor,
        as_staff(staff_world, "youth-help", "kim") as kim,
    ):
        form = noor.read_form("/urgent")
        for reason, sentence in (("", "why it cannot wait"), ("Now", "at least 20 signs")):
            short = noor.send("/urgent", form, **fields, reason=reason)
            assert (short.status_code, sentence in short.text) == (422, True)
        reason = "He stands outside and has nowhere to sleep tonight."
        unknown = noor.send("/urgent", form, **fields, reason=reason)
        assert "Write the BSN." in unknown.text
        assert reason in unknown.text
        wrong = noor.send("/urgent", form, **fields, reason=reason, bsn="123456789")
        assert "This is no BSN" in wrong.text
        assert "123456789" not in wrong.text
        by_bsn = {**fields, "number": BSNS[6], "reason": reason, "bsn": BSNS[6]}
        assert (
            "Use one that your organisation gave them" in noor.send("/urgent", form, **by_bsn).text
        )
        page = noor.do("/urgent", **fields, reason=reason, bsn=BSNS[6])
        assert "Your request was passed on." in page
        assert "This is a crisis" in page
        assert "020 222 2222" in wait_for(kim, "/contacts", "020 222 2222")
        asked = noor.read("/asked")
        assert reason in asked
        assert "to get in touch" in asked
        # A crisis gives contact and nothing else.
        crisis = re.search(r"crisis-[0-9a-f-]+", page)
        assert crisis
        with staff_world.connect("social-team") as team:
            inquiry = rq.Ask(
                professional=NOOR,
                clients=(rq.ClientRef(client="U-6"),),
                occasion=crisis[0],
                purpose=PURPOSE,
            )
            (result,) = team.ask_who_is_involved(inquiry).results
        assert result.pointers == ()


def test_own_questions_are_shown_to_who_asked_and_later_ones_are_marked(
    staff_world: StaffWorld,
) -> None:
    staff_world.open("B-7", 7)
    with staff_world.connect("social-team") as team:
        clients = (rq.ClientRef(client="B-7-7"),)
        ask = rq.Ask(professional=NOOR, clients=clients, occasion="B-7", purpose=PURPOSE)
        (pointer,) = team.ask_who_is_involved(ask).results[0].pointers
        motivation = Motivation(**dict.fromkeys(Motivation.model_fields, f"{WHY} {HOSTILE}"))
        known = rq.AskKnown(
            professional=NOOR,
            client=rq.ClientRef(client="B-7-7"),
            occasion="B-7",
            purpose=PURPOSE,
            pointer=pointer.pointer,
            product="jeugdhulp",
            fields=("status", "start"),
            motivation=motivation,
        )
        assert team.ask_what_is_known(known).values
    with (
        as_staff(staff_world, "social-team", "noor") as noor,
        as_staff(staff_world, "social-team", "kim") as kim,
    ):
        page = noor.read("/asked")
        assert "Partly given" in page
        assert "for data about you" in page
        assert "<script>alert" not in page
        assert "The person sees this later" not in page
        assert "You asked nothing in these weeks" in kim.read("/asked")
        path = noor.find("B-7")
        fields = {"ground": "child_safety", "reason": WHY, "role": "teamleider"}
        fields |= {"until": in_days(7), "opening": "by_person"}
        own = noor.send(f"{path}/later", **fields, decider="noor")
        assert "This was not possible" in own.text
        assert "told later" in noor.do(f"{path}/later", **fields, decider="ann")
        assert "The person sees this later" in noor.read("/asked?what=all")
        assert "Telling waits" in noor.read(path)
        assert "B-7-7" in noor.read("/to-tell")
        assert "later" not in kim.read("/to-tell").split("<main")[1].split("</main")[0].lower()


def test_what_was_said_is_recorded_and_the_wrong_person_is_forgotten(
    staff_world: StaffWorld,
) -> None:
    staff_world.open("B-8", 8, 9)
    with as_staff(staff_world, "social-team", "noor") as noor:
        path = noor.find("B-8")
        consent = {"person": "0", "kind": "explicit", "purpose": PURPOSE, "giver": "self"}
        consent |= {"written": "yes", "given": TODAY, "until": in_days(200), "product": ""}
        assert "It is recorded." in noor.do(f"{path}/consent", **consent)
        too_long = noor.send(
            f"{path}/consent",
            **{**consent, "until": in_days(800)},
        )
        assert "This was not possible" in too_long.text
        objection = {"person": "0", "purpose": "all", "reason": HOSTILE, "made": TODAY}
        assert "The objection is recorded." in noor.do(f"{path}/objection", **objection)
        authority = {"person": "0", "kind": "both_parents", "scope": "Alles", "source": "register"}
        authority |= {"checked": TODAY, "until": in_days(200)}
        assert "who decides for this person" in noor.do(f"{path}/authority", **authority)
        unsure = noor.send(f"{path}/wrong", person="1", kind="")
        assert "Compare the name and date of birth first." in unsure.text
        done = noor.do(f"{path}/wrong", person="1", kind="", compared="yes")
        assert "It is reported." in done
        closing = {"reason": "completed", "goals": "yes", "plan": "no"}
        left = noor.read(path)
        assert "B-8-8" in left
        assert "B-8-9" not in left
        closed = noor.do(f"{path}/close", **closing)
        assert "Nobody can ask on it any more." in closed
        sentences = noor.read("/asked?what=all")
        for said in ("your consent", "your objection", "who has authority", "wrong person"):
            assert said in sentences, said


def test_nobody_comes_in_by_another_door(staff_world: StaffWorld) -> None:
    staff_world.open("B-9", 10)
    with as_staff(staff_world, "social-team", "noor") as noor:
        path = noor.find("B-9")
        noor.read("/own/0123456789abcdef", status=404)
        noor.read("/own/B-9", status=404)
        form = noor.read_form(f"{path}/close")
        fields = {"reason": "completed", "goals": "yes", "plan": "no"}
        other = noor.send(f"{path}/close", {**form, "csrf": "x" * 43}, **fields)
        assert other.status_code == 403
        away = noor.client.post(
            f"{path}/close", data={**form, **fields}, headers={"Origin": "http://evil.example"}
        )
        assert away.status_code == 403
        assert "B-9" in noor.read("/own")
        noor.client.cookies.clear()
        gone = noor.client.get(path)
        assert gone.status_code in (302, 303, 401)
        assert "B-9" not in gone.text


def test_nothing_that_was_typed_is_lost_while_the_broker_is_away(
    staff_world: StaffWorld,
) -> None:
    staff_world.open("B-10", 11)
    with as_staff(staff_world, "social-team", "noor") as noor:
        path = noor.find("B-10")
        fields = {"person": "0", **SPOKEN, "what": "What was typed stays."}
        form = noor.read_form(f"{path}/conversation")
        staff_world.covenant.broker.stop(signal.SIGKILL)
        try:
            away = noor.send(f"{path}/conversation", form, **fields)
            assert noor.client.get(path).status_code == 200
            assert noor.client.get("/asked").status_code == 200
        finally:
            staff_world.covenant.broker.restart()
        assert away.status_code == 422
        assert "It was not sent" in away.text
        assert "What was typed stays." in away.text
        again = noor.send(f"{path}/conversation", form, **fields)
        assert again.headers.get("location") == path, again.text


def ask_for_contact(world: StaffWorld, occasion: str, client: str) -> None:
    """Ask youth help to call, as the social team's own software does."""
    request = rq.RequestContact(
        professional=NOOR,
        client=rq.ClientRef(client=client),
        occasion=occasion,
        purpose=PURPOSE,
        source=world.covenant.partners["youth-help"].id,
        call_back=Contact(role="Coordinator", phone="020 111 1111"),
    )
    with world.connect("social-team") as team:
        assert team.request_contact(request).results[0].weighing.permitted


def wait_for(worker: Worker, path: str, text: str) -> str:
    """Return a page once it says something that another party sends."""
    until = time.monotonic() + 20
    while text not in (page := worker.read(path)):
        assert time.monotonic() < until, page
        time.sleep(0.1)
    return page


def in_days(days: int) -> str:
    """Return a day as somebody types it."""
    return (date.fromisoformat(TODAY) + timedelta(days=days)).isoformat()
