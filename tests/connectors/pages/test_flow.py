"""From the purpose to the released data at the pages of real processes, and what stays of it.

Case 3 was played on the covenant: its occasion is open, and Noor leads on it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from demo.model import Case
from tests.connectors.pages.doors import away, count_sent, losing_answers
from tests.connectors.pages.staffer import BLADES, CASE, OCCASION, TEAM, Staffer
from tests.databases import read_url, read_whole
from tests.demo.world import World

pytestmark = [
    pytest.mark.processes,
    pytest.mark.xdist_group("demo"),
    pytest.mark.timeout(400),
]
PURPOSE = "coordinate_family_help"
LogIn = Callable[..., Staffer]
# What the sources release in this case, and nobody else knows.
RELEASED = (b"P. Vos", b"saneringskrediet")


@pytest.fixture
def case(world: World) -> Case:
    return world.cases[CASE]


@pytest.fixture
def noor(log_in: LogIn) -> Staffer:
    return log_in("noor")


def ask_youth_help(staffer: Staffer) -> str:
    """Ask about the son, and prepare a question for the first source; return where it lies."""
    question = staffer.begin(PURPOSE, OCCASION)
    staffer.choose(question, "N-301")
    staffer.ask(question)
    return staffer.want(question, "0.0", ["status", "contact"])


def test_purpose_and_occasion_come_before_the_person(noor: Staffer) -> None:
    page = noor.read("/ask")
    assert "Coordinating help for a family" in page
    assert "Your coordinator wants to know who already helps you" in page
    path = noor.follow("/ask", {"purpose": PURPOSE})
    question = path.rpartition("/")[0]
    assert noor.get(f"{question}/person").headers["location"] == f"{question}/occasion"
    assert noor.get(f"{question}/dat").headers["location"] == f"{question}/ladder"
    assert "N-301, N-302, N-303" in noor.read(path)


def test_list_then_picture_with_what_could_be_seen(noor: Staffer) -> None:
    question = noor.begin(PURPOSE, OCCASION)
    noor.choose(question, "N-301", "N-302", "N-303")
    page = noor.ask(question)
    assert "organisations were asked" in page
    assert "This purpose cannot see:" in page
    for name in ("Jeugdhulp Rijnmond", "Schuldhulp Rijnstad", "010 555 01 10"):
        assert page.index(name) < page.index("In a picture")
    assert "The household together" in page
    assert "<caption>The same as a table</caption>" in page
    assert page.count("Nobody that this purpose can see") == 1


def test_by_category_no_organisation_is_named(noor: Staffer) -> None:
    question = noor.begin(PURPOSE, OCCASION)
    noor.choose(question, "N-301")
    page = noor.ask(question, "category")
    card = page[page.index("<article") : page.index("</article>")]
    assert '<h3 class="card__title">Youth</h3>' in card
    assert "Jeugdhulpverlener" not in card
    assert "Involved since" not in card
    assert "Ask for data" not in card


def test_a_colleague_of_elsewhere_is_refused_and_told_why(log_in: LogIn) -> None:
    sam = log_in("sam")
    page = sam.read("/")
    assert OCCASION not in page
    path = sam.follow("/ask", {"purpose": PURPOSE})
    answer = sam.send(path, {"occasion": OCCASION})
    assert answer.status_code == 422


def test_given_with_the_blades_and_the_reasons(noor: Staffer) -> None:
    wanted = ask_youth_help(noor)
    check = noor.read(f"{wanted}/check")
    assert "The resident sees this question and your reasons" in check
    assert "To know whether the help has started." in check
    page = noor.read(noor.follow(f"{wanted}/check"))
    assert "The question meets the conditions" in page
    for text in ("P. Vos", "loopt", "Wij maken samen een plan."):
        assert text in page, text
    assert page.count("knife__blade--met") == len(BLADES)
    assert "Jeugdwet" in page
    # Sent again, the same form leads to the same answer.
    assert "P. Vos" in noor.read("/overview")


def test_nothing_is_ticked_and_every_reason_is_asked(noor: Staffer) -> None:
    question = noor.begin(PURPOSE, OCCASION)
    noor.choose(question, "N-301")
    noor.ask(question)
    wanted = noor.want(question, "0.0", ["status"]).removesuffix("/check")
    fresh = noor.read(wanted.rpartition("/")[0])
    assert " checked" not in fresh
    answer = noor.send(f"{wanted}/why", {"purpose": "", "efficiency": "x" * 2_001})
    assert answer.status_code == 422
    assert "Write your reason. The resident reads it." in answer.text
    assert "Make it shorter: 2000 signs at most." in answer.text
    assert noor.send(wanted, {"fields": ["productcategorie"]}).status_code == 422


def test_the_own_number_stands_in_no_address(noor: Staffer, case: Case) -> None:
    noor.get(f"{ask_youth_help(noor)}/check")
    words = [person.bsn for person in case.people.values()]
    words += [person.family_name for person in case.people.values()]
    words += [person.numbers[TEAM] for person in case.people.values()]
    assert len(noor.addresses) > 10
    for address in noor.addresses:
        assert not [word for word in words if word in address], address


def test_what_was_released_is_kept_nowhere(world: World, noor: Staffer) -> None:
    noor.follow(f"{ask_youth_help(noor)}/check")
    assert "P. Vos" in noor.read("/overview")
    home = world.covenant.home(TEAM)
    searched = [path for path in (*home.rglob("*"), world.folder / f"{TEAM}.log") if path.is_file()]
    held = {str(path): path.read_bytes() for path in searched}
    held["database"] = read_whole(read_url(home))
    assert b"inquire" in held["database"], "the control: what was asked is found"
    for name, content in held.items():
        assert not [value for value in RELEASED if value in content], name
    noor.client.post("/logout", data=read_logout(noor), headers={"Origin": noor.url})
    assert noor.get("/overview").status_code == 401
    noor.log_in("noor")
    page = noor.read("/overview")
    assert "P. Vos" not in page
    assert "You asked nothing yet" in page


def read_logout(staffer: Staffer) -> dict[str, str]:
    page = staffer.read("/")
    token = page.split('name="csrf" value="', 1)[1].split('"', 1)[0]
    return {"csrf": token, "form_id": "logout"}


def test_another_session_sees_nothing_of_it(noor: Staffer, log_in: LogIn) -> None:
    wanted = ask_youth_help(noor)
    noor.follow(f"{wanted}/check")
    other = log_in("noor")
    for path in (f"{wanted}/answer", f"{wanted}/check", wanted, f"{wanted.split('/wat')[0]}/found"):
        assert other.get(path).status_code == 404, path
    assert "P. Vos" not in other.read("/overview")
    assert "N-301" not in other.read("/").split("Your open occasions")[0]


def test_whoever_works_elsewhere_does_not_come_in(log_in: LogIn, world: World) -> None:
    stranger = Staffer(world.covenant.pages_url("school"))
    with stranger.client:
        assert stranger.log_in("noor").status_code == 403
        assert stranger.get("/ask").status_code == 401
    assert log_in("noor").read("/ask")


def test_a_form_of_another_site_does_nothing(noor: Staffer) -> None:
    page = noor.client.post("/ask", data={"purpose": PURPOSE, "form_id": "x", "csrf": "y" * 43})
    assert page.status_code == 403
    away = {"Origin": "https://elsewhere.example"}
    assert noor.client.post("/ask", data={"purpose": PURPOSE}, headers=away).status_code == 403


def test_an_answer_that_was_lost_is_fetched_and_counts_once(world: World, noor: Staffer) -> None:
    wanted = ask_youth_help(noor)
    with losing_answers(world, "/v1/releases"):
        answer = noor.send(f"{wanted}/check")
        assert answer.status_code == 503
        assert "There is no answer yet" in answer.text
        assert "Nothing is half done" in answer.text
    before = count_sent(world, "release")
    page = noor.read(noor.follow(f"{wanted}/check"))
    assert "P. Vos" in page
    assert count_sent(world, "release") == before


def test_a_question_that_was_changed_in_between_is_shown_as_it_was_sent(
    world: World, noor: Staffer
) -> None:
    wanted = ask_youth_help(noor)
    with losing_answers(world, "/v1/releases"):
        assert noor.send(f"{wanted}/check").status_code == 503
    noor.follow(f"{wanted}/why", dict.fromkeys(BLADES, "Another reason."))
    before = len(world.recorders["broker"].find("/v1/releases"))
    changed = noor.send(f"{wanted}/check")
    assert changed.status_code == 422
    assert "You changed this after you sent it" in changed.text
    assert "Another reason." not in changed.text
    assert len(world.recorders["broker"].find("/v1/releases")) == before
    page = noor.read(noor.follow(f"{wanted}/check"))
    assert "P. Vos" in page
    assert "Another reason." not in page


def test_a_source_that_is_away_gives_nothing_and_can_be_asked_again(
    world: World, noor: Staffer
) -> None:
    wanted = ask_youth_help(noor)
    with away(world, "youth-help", "/v1/orders"):
        page = noor.read(noor.follow(f"{wanted}/check"))
    assert "The question meets the conditions, but no data came" in page
    assert "P. Vos" not in page
    assert "P. Vos" not in noor.read("/overview")
    assert "P. Vos" in noor.read(noor.follow(f"{wanted}/check"))


def test_a_broker_that_is_away_is_said_and_nothing_is_lost(world: World, noor: Staffer) -> None:
    question = noor.begin(PURPOSE, OCCASION)
    noor.choose(question, "N-301")
    with away(world, "broker", "/v1/inquiries"):
        answer = noor.send(f"{question}/dat")
    assert answer.status_code == 422
    assert "It was not sent" in answer.text
    assert "Try it again in a few minutes." in answer.text
    assert "Traceback" not in answer.text
    assert "Jeugdhulp Rijnmond" in noor.ask(question)


def test_a_question_reaches_the_screen_in_time(noor: Staffer) -> None:
    question = noor.begin(PURPOSE, OCCASION)
    noor.choose(question, "N-301", "N-302")
    took = []
    for _ in range(5):
        began = time.perf_counter()
        noor.ask(question)
        took.append(time.perf_counter() - began)
    assert min(took) < 2.0, took  # `make bench` holds it to 0.3 s beside an idle broker


def find_section(page: str) -> str:
    """Return what was answered about the first person, without who it is and the entry's number."""
    section = page[page.index('<section class="found"') : page.index("</section>")]
    section = re.sub(r"<h2.*?</h2>", "", section, flags=re.DOTALL)
    return re.sub(r"entry [0-9]+ of the log", "", section)


def test_who_may_not_use_a_bsn_is_not_asked_for_one(log_in: LogIn) -> None:
    teacher = log_in("els", function="school")
    page = teacher.read("/ask")
    path = teacher.follow("/ask", {"purpose": PURPOSE})
    assert "Coordinating help for a family" in page
    question = path.rpartition("/")[0]
    teacher.follow(path, {"occasion": "new"})
    opening = {"kind": "signal", "team": "Groep 7", "number": "s-1", "inform_by": "2027-01-01"}
    teacher.follow(f"{question}/new", opening)
    pupil = {"number": "L-1", "name": "Vis", "born": "2016-01-02"}
    pupil |= {"age": "0-11", "role": "pupil", "source": "observed"}
    assert teacher.follow(f"{question}/member", pupil) == f"{question}/identify"
    page = teacher.read(f"{question}/identify")
    assert "No law lets your organisation use the BSN" in page
    assert 'name="bsn"' not in page
    assert teacher.send(f"{question}/household").headers["location"] == f"{question}/identify"


def test_an_occasion_is_opened_and_the_bsn_is_used_once(world: World, noor: Staffer) -> None:
    path = noor.follow("/ask", {"purpose": PURPOSE})
    question = path.rpartition("/")[0]
    assert noor.follow(path, {"occasion": "new"}) == f"{question}/new"
    opening = {"kind": "help_request", "team": "Noord <b>", "number": "pages-1"}
    assert noor.follow(f"{question}/new", opening) == f"{question}/household"
    person = {"number": "P-71", "name": "<script>alert(1)</script>Vis", "born": "1980-01-02"}
    kept = {"age": "18+", "role": "resident", "source": "told"}
    assert noor.follow(f"{question}/member", {**person, **kept}) == f"{question}/identify"
    record = {"identity": "document", "name": "Vis", "born": "1980-01-02", "bsn": "999996009"}
    answer = noor.send(f"{question}/identify", record)
    assert answer.status_code == 422
    assert "999996009" not in answer.text, "what was typed as a BSN is not shown again"
    record["name"] = person["name"]
    assert noor.send(f"{question}/identify", {**record, "bsn": "999996008"}).status_code == 422
    assert noor.follow(f"{question}/identify", record) == f"{question}/told/0"
    told = {"told": "yes", "when": "2026-11-01", "what": "Wij vragen\nwie u helpt."}
    told |= {"alternatives": "U vertelt het zelf.", "reaction": "agrees"}
    assert noor.follow(f"{question}/told/0", told) == f"{question}/household"
    page = noor.get(f"{question}/household").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;Vis" in page
    assert noor.follow(f"{question}/household") == f"{question}/person"
    assert "The occasion is open." in noor.read(f"{question}/person")
    noor.choose(question, "P-71")
    nobody = find_section(noor.ask(question))
    assert "Nobody that this purpose can see" in nobody
    guarded = noor.begin(PURPOSE, OCCASION)
    noor.choose(guarded, "N-303")  # the permit service is involved, and is for nobody to see
    assert find_section(noor.ask(guarded)) == nobody
    for file in world.covenant.home(TEAM).rglob("*"):
        if file.is_file():
            assert b"999996009" not in file.read_bytes(), file
    assert "pages-1" in noor.read("/")
