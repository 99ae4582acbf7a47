"""What residents say at the pages has its effect at the other parties, at once.

Nothing here stands in for anything: browser forms, portal, broker, policy engine, connectors, and
the officer's own commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from connectors.client.results import InquiryResult, ReleaseResult
from demo.covenant import build_login
from demo.events import Ask, AskKnown
from demo.model import Case
from demo.parts import Expected
from demo.player import Player
from demo.steps import Step
from tests.demo.world import World
from tests.portal.saying import read_form

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
OFFICER = ("--by", "m.jansen", "--role", "Functionaris gegevensbescherming")


class Surfer:
    """Somebody at the portal's pages, without scripts: follows links, fills in forms."""

    def __init__(self, world: World, login: str) -> None:
        self.portal = world.covenant.url("portal")
        self.client = httpx.Client(base_url=self.portal, trust_env=False, timeout=30)
        away = self.client.get("/login")
        chosen = self.client.post(away.headers["location"], data={"sub": login})
        assert self.client.get(chosen.headers["location"]).status_code == 303

    def open(self, path: str) -> httpx.Response:
        """Open a page."""
        page = self.client.get(path)
        assert page.status_code == 200, page.text
        return page

    def send(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of a page and return the page that comes of it."""
        action, hidden = read_form(page)
        sent = self.client.post(action, data={**hidden, **fields}, headers={"Origin": self.portal})
        assert sent.status_code == 303, sent.text
        return self.open(sent.headers["location"])

    def ask(self, text: str) -> str:
        """Ask the officer something and return the number of the receipt."""
        page = self.send(self.open("/questions/new"), to="officer")
        page = self.send(page, text=text)
        return read_number(self.send(page))


def read_number(page: httpx.Response) -> str:
    """Return the number on a receipt."""
    found = re.search(r'class="receipt__number">(\d+)<', page.text)
    assert found is not None, page.text
    return found[1]


@pytest.fixture
def surfers(world: World) -> Iterator[list[Surfer]]:
    opened: list[Surfer] = []
    yield opened
    for surfer in opened:
        surfer.client.close()


def log_in(world: World, surfers: list[Surfer], case: Case, who: str, through: str = "") -> Surfer:
    surfers.append(Surfer(world, build_login(case, who, through or None)))
    return surfers[-1]


def build_questions(world: World, releases: list[Expected]) -> Iterator[Step]:
    """Play the officer's questions of case 4 once more: who helps him, and then for the plan."""
    case = world.cases[4]
    world.play(case)
    ask = next(one for one in case.events if isinstance(one, Ask))
    known = next(one for one in case.events if isinstance(one, AskKnown))
    again = [known.model_copy(update={"expect": expected}) for expected in releases]
    events = (ask, *again)
    return Player(world.covenant, case.model_copy(update={"events": events})).play()


def test_a_yes_at_the_page_lets_data_go_and_taking_it_back_stops_the_next_release(
    world: World, surfers: list[Surfer]
) -> None:
    refused = Expected(permitted=False, unmet=("person_facts",))
    given = next(one for one in world.cases[4].events if isinstance(one, AskKnown)).expect
    steps = build_questions(world, [refused, given, refused])
    assert not next(steps).differences
    assert not next(steps).differences  # taken back in the case itself
    boy = log_in(world, surfers, world.cases[4], "boy")

    choosing = boy.open("/consents/new")
    found = re.search(
        r'value="(\w+)"[^>]*>\s*<label[^>]*>Gemeente Rijnstad, leerplicht zou iets krijgen van '
        r"Sociaal team",
        choosing.text,
    )
    assert found is not None, choosing.text
    until = boy.send(choosing, choice=found[1])
    check = boy.send(until, term="3")
    assert "checked" not in check.text
    number = read_number(boy.send(check, answer="yes"))
    assert not next(steps).differences

    assert f"/consents/{number}/withdraw" in boy.open("/consents").text
    receipt = boy.send(boy.open(f"/consents/{number}/withdraw"))
    step = next(steps)
    assert not step.differences, step.differences
    result = step.results["boy"]
    assert isinstance(result, ReleaseResult)
    assert not result.values
    assert read_number(receipt) != number
    assert f"/consents/{number}/withdraw" not in boy.open("/consents").text


def test_what_the_child_said_is_nowhere_for_who_represents_them(
    world: World, surfers: list[Surfer]
) -> None:
    case = world.cases[4]
    world.play(case)
    boy = log_in(world, surfers, case, "boy")
    number = boy.ask("Wie leest mijn plan?")
    mother = log_in(world, surfers, case, "boy", "mother")
    page = mother.open("/questions")
    csrf = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert csrf is not None
    switched = mother.client.post(
        "/person",
        data={"csrf": csrf[1], "form_id": "switch-1", "person": "represented"},
        headers={"Origin": mother.portal},
    )
    assert switched.status_code == 303
    for path in ("/involved", "/consents", "/objections", "/questions", "/blocks", "/shield", "/"):
        shown = mother.open(path).text
        assert "Wie leest mijn plan?" not in shown
        assert "Jonas" not in shown
        assert f"/log/{number}" not in shown
    assert mother.client.get(f"/consents/{number}/withdraw").status_code == 404


def test_a_question_gets_its_answer_from_the_officers_command(
    world: World, surfers: list[Surfer]
) -> None:
    case = world.cases[4]
    world.play(case)
    boy = log_in(world, surfers, case, "boy")
    number = boy.ask("Hoe lang bewaart u dit?")
    assert "Wacht op antwoord" in boy.open("/questions").text
    home = ("--home", str(world.covenant.home("broker")))
    waiting = world.command("questions", "list", *home)["questions"]
    assert number in {str(one["number"]) for one in waiting}
    text = "Vijf jaar. Daarna wissen wij het."
    world.command("questions", "answer", number, *home, *OFFICER, "--text", text)
    assert text in boy.open("/questions").text
    assert "1 antwoord kwam binnen" in boy.open("/wishes").text


def test_an_objection_and_a_block_are_there_lifted_and_gone(
    world: World, surfers: list[Surfer]
) -> None:
    case = world.cases[4]
    world.play(case)
    boy = log_in(world, surfers, case, "boy")
    page = boy.send(boy.open("/objections/new"), purpose="youth_help_access")
    page = boy.send(page, reason="Ik wil dit zelf\r\nvertellen.")
    assert "Ik wil dit zelf vertellen." in page.text
    number = read_number(boy.send(page))
    assert "Ik wil dit zelf vertellen." in boy.open("/objections").text
    boy.send(boy.open(f"/objections/{number}/lift"))
    assert "Ik wil dit zelf vertellen." not in boy.open("/objections").text

    choosing = boy.open("/blocks/new")
    organisation = world.covenant.partner_id("debt-counselling")
    number = read_number(boy.send(boy.send(choosing, organisation=organisation)))
    assert f"/blocks/{number}/lift" in boy.open("/blocks").text
    boy.send(boy.open(f"/blocks/{number}/lift"))
    assert "/lift" not in boy.open("/blocks").text


def test_a_shield_hides_at_the_next_question_who_helps(world: World, surfers: list[Surfer]) -> None:
    steps = build_questions(world, [])
    case = world.cases[4]
    boy = log_in(world, surfers, case, "boy")
    receipt = boy.send(boy.open("/shield/on"))
    try:
        result = next(steps).results["boy"]
        assert isinstance(result, InquiryResult)
        assert [one.source for one in result.pointers] == [None]
    finally:
        boy.send(boy.open(f"/shield/{read_number(receipt)}/lift"))
    assert "U bent niet afgeschermd" in boy.open("/shield").text
