"""Acts whose answer was lost on the way back: the form comes back and counts once."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from datwat.protocol.freshness import CLOCK_SKEW, MAX_AGE
from tests.connectors.pages.doors import away, count_sent, losing_answers
from tests.connectors.pages.staffer import OCCASION, TEAM, Staffer
from tests.databases import read_rows
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
PURPOSE = "coordinate_family_help"
WHY = "The parents know, and we make one plan with them."
SPOKEN = {"when": "2026-11-20", "what": WHY, "alternatives": WHY, "reaction": "agrees"}
NUMBER = "lost-1"
_ACTS = {
    "dat": "inquire",
    "contact": "request_contact",
    "household": "open_occasion",
    "team": "hand_over",
    "introduce": "introduce",
    "close": "close_occasion",
}


@pytest.fixture
def noor(log_in: Callable[..., Staffer]) -> Staffer:
    return log_in("noor")


def find_own(staffer: Staffer, number: str) -> str:
    """Return where the pages of an own occasion lie."""
    found = re.search(rf'href="(/own/[0-9a-f]{{16}})">{number}<', staffer.read("/own"))
    assert found
    return found[1]


def find_option(staffer: Staffer, path: str, name: str) -> str:
    """Return the first choice of a list that is somebody."""
    options = rf'<select[^>]*name="{name}".*?<option value="([^"]+)"'
    found = re.search(options, staffer.read(path), re.DOTALL)
    assert found, name
    return found[1]


def lose(world: World, noor: Staffer, page: str, fields: dict[str, str], wire: str) -> str:
    """Send a form whose answer is lost, then the same form again; return where it leads."""
    act = _ACTS[page.rpartition("/")[2]]
    action, hidden = noor.read_form(page)
    before = count_sent(world, act)
    with losing_answers(world, wire):
        lost = noor.post(action, {**hidden, **fields})
    assert lost.status_code == 422, lost.text[-3000:]
    assert "It was not sent" in lost.text
    assert count_sent(world, act) == before + 1
    sent = len(world.recorders["broker"].find(wire))
    again = noor.post(action, {**hidden, **fields})
    assert again.status_code == 303, again.text[-3000:]
    assert len(world.recorders["broker"].find(wire)) == sent + 1, "it went out again"
    assert count_sent(world, act) == before + 1, "as the same message"
    return str(again.headers["location"])


def test_a_question_and_a_request_to_be_called(world: World, noor: Staffer) -> None:
    question = noor.begin(PURPOSE, OCCASION)
    noor.choose(question, "N-301")
    found = noor.read(lose(world, noor, f"{question}/dat", {}, "/v1/inquiries"))
    assert "Jeugdhulp Rijnmond" in found
    page = f"{question}/contact"
    fields = {"person": "N-301", "phone": "010 1234567"}
    fields["source"] = find_option(noor, page, "source")
    assert lose(world, noor, page, fields, "/v1/contact-requests") == f"{question}/ladder"


def test_an_occasion_is_opened_once_and_closed_once(world: World, noor: Staffer) -> None:
    path = noor.follow("/ask", {"purpose": PURPOSE})
    path = noor.follow(path, {"occasion": "new"})
    question = path.rpartition("/")[0]
    opening = {"kind": "help_request", "team": "Noord", "number": NUMBER, "inform_by": ""}
    noor.follow(path, opening)
    who: dict[str, object] = {
        "number": "N-301",
        "name": "Ferreira",
        "born": "2013-02-14",
        "role": "son",
        "source": "told",
    }
    told = noor.follow(f"{question}/member", {**who, "age": "12-15"})
    noor.follow(told, {"told": "yes", **SPOKEN})
    lose(world, noor, f"{question}/household", {}, "/v1/occasions")
    own = find_own(noor, NUMBER)
    team = {"role-0": "coordinator", "staff": "sam", "role": "second"}
    assert lose(world, noor, f"{own}/team", team, "/v1/occasion-acts") == own
    code = {"person": "0", "partner": find_option(noor, f"{own}/introduce", "partner")}
    slip = noor.read(lose(world, noor, f"{own}/introduce", code, "/v1/introductions"))
    assert "<code>" in slip
    closing = {"reason": "completed", "goals": "yes", "plan": "yes"}
    assert lose(world, noor, f"{own}/close", closing, "/v1/occasion-acts") == "/own"
    assert NUMBER not in noor.read("/own")
    assert count_open(world) == 0


def count_open(world: World) -> int:
    query = "SELECT count(*) FROM occasions WHERE number = :number AND closed_at IS NULL"
    ((count,),) = read_rows(world.covenant.home(TEAM), query, number=NUMBER)
    return int(count)


def test_a_form_that_was_changed_in_between_is_shown_as_it_was_sent(
    world: World, noor: Staffer
) -> None:
    page = f"{find_own(noor, OCCASION)}/conversation"
    action, hidden = noor.read_form(page)
    first = {**hidden, "person": "0", **SPOKEN}
    with losing_answers(world, "/v1/occasion-acts"):
        assert noor.post(action, first).status_code == 422
    sent = len(world.recorders["broker"].find("/v1/occasion-acts"))
    changed = noor.post(action, {**first, "what": "Something else was told."})
    assert changed.status_code == 422
    assert "You changed this after you sent it" in changed.text
    assert WHY in changed.text
    assert "Something else was told." not in changed.text
    assert len(world.recorders["broker"].find("/v1/occasion-acts")) == sent
    before = count_sent(world, "record_conversation")
    assert noor.post(action, first).status_code == 303
    assert count_sent(world, "record_conversation") == before


@pytest.mark.long
def test_what_never_reached_the_broker_is_signed_anew(
    world: World, noor: Staffer, whole: bool
) -> None:
    if not whole:
        pytest.skip("waits until the broker takes the message for too old: `make test-long`")
    page = f"{find_own(noor, OCCASION)}/conversation"
    action, hidden = noor.read_form(page)
    said = {**hidden, "person": "0", **SPOKEN}
    before = count_sent(world, "record_conversation")
    with away(world, "broker", "/v1/occasion-acts"):
        assert noor.post(action, said).status_code == 422
    time.sleep((MAX_AGE + CLOCK_SKEW).total_seconds() + 1)
    assert noor.post(action, said).status_code == 303
    assert count_sent(world, "record_conversation") == before + 2
