"""*Who asked for my data?* and one entry: what they say, what they never say, and for whom."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from connectors.portal.pages.laws import Law, find_laws
from connectors.portal.pages.log_cards import spread
from connectors.portal.pages.log_reading import CARDS, MOST_READS
from connectors.portal.pages.log_results import find_result
from datwat.party import clock
from datwat.web.sessions import LONGEST
from tests.portal.log_world import (
    HOSTILE,
    NOW,
    OWN,
    REGISTERED,
    LogWorld,
    ask_what,
    ask_who,
    build_entry,
    build_log,
    build_log_world,
    read_form,
    tell_later,
)

NOT_THERE = 123_456


def read_numbers(html: str) -> list[int]:
    """Return the numbers that a page leads to, each once, in their order."""
    return list(dict.fromkeys(int(found) for found in re.findall(r'href="/log/(\d+)"', html)))


async def look_for(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Fill in the filters as the page has them, and go where it leads."""
    page = await client.get("/log")
    return await client.post("/log", data={**read_form(page.text, "/log"), **fields})


async def test_the_sum_counts_organisations_that_asked_and_that_were_given_something() -> None:
    team, school, shelter = "Sociaal team", "Basisschool", "Opvang"
    cards = [
        build_entry(30, NOW, ask_what(), team),
        build_entry(20, NOW, ask_who(permit=False), team),
        build_entry(10, NOW, REGISTERED, shelter),
    ]
    async with build_log_world(cards).client() as client:
        html = (await client.get("/log")).text
    assert "Eén organisatie vroeg om uw gegevens." in html
    assert "Die kreeg gegevens." in html
    refused = build_entry(40, NOW, ask_what(permit=False), school)
    asked = refused.model_copy(update={"requester": "00000099000000010005:school"})
    async with build_log_world([asked, *cards]).client() as client:
        html = " ".join((await client.get("/log")).text.split())
    assert "2 organisaties vroegen om uw gegevens. Eén kreeg gegevens. Eén niet." in html


async def test_an_empty_log_and_one_without_questions_say_so() -> None:
    async with build_log_world([]).client() as client:
        html = (await client.get("/log")).text
        assert "Hier staat nog niets" in html
        assert "Sommige regels komen misschien later." in html
    async with build_log_world([build_entry(1, NOW, REGISTERED)]).client() as client:
        html = (await client.get("/log")).text
        assert "Niemand vroeg om uw gegevens. Wel is er iets vastgelegd." in html


async def test_each_entry_is_on_one_page_and_in_the_order_of_the_log() -> None:
    world = build_log_world(build_log(4 * CARDS - 3))
    seen: list[int] = []
    async with world.client() as client:
        for page in range(1, 5):
            html = (await client.get(f"/log?page={page}")).text
            seen += read_numbers(html)
            assert (f'href="/log?page={page + 1}"' in html) == (page < 4)
            assert len(html.encode()) < 100_000
    assert seen == [card.number for card in world.desk.logs[OWN]]


async def test_a_page_that_nobody_came_to_is_the_first_one() -> None:
    async with build_log_world(build_log(2 * CARDS)).client() as client:
        first = read_numbers((await client.get("/log")).text)
        for place in ("7", "0", "-1", "x", "9" * 5, "9" * 50, "²"):
            assert read_numbers((await client.get("/log", params={"page": place})).text) == first


async def test_neighbours_that_say_the_same_are_one_card_with_all_of_them_in_it() -> None:
    same = [build_entry(10 - place, NOW - timedelta(days=place), ask_who()) for place in range(4)]
    other = build_entry(5, NOW - timedelta(days=5), ask_what())
    again = build_entry(4, NOW - timedelta(days=6), ask_who())
    async with build_log_world([*same, other, again]).client() as client:
        html = (await client.get("/log")).text
    assert html.count('<article class="card') == 3
    assert "4 keer · 22 tot en met 25 november 2026" in html
    assert read_numbers(html) == [10, 9, 8, 7, 5, 4]


async def test_what_is_looked_for_is_found_over_the_whole_log_and_stands_in_no_address() -> None:
    cards = build_log(230, ("Sociaal team Rijnstad", "Basisschool De Linde", "Opvang"))
    wanted = [card.number for card in cards if card.requester_name == "Basisschool De Linde"]
    async with build_log_world(cards).client() as client:
        page = await look_for(client, organisation="linde")
        assert str(page.url).endswith("/log")
        found: list[int] = []
        for number in range(1, 6):
            html = (await client.get(f"/log?page={number}")).text
            found += read_numbers(html)
            assert "linde" not in " ".join(re.findall(r'(?:href|action)="([^"]*)"', html)).lower()
            if f"page={number + 1}" not in html:
                break
        assert found == wanted
        everything = await look_for(client, all="yes")
        assert read_numbers(everything.text) == [card.number for card in cards[:CARDS]]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"result": "shared"}, lambda place: place % 5 in (0, 3)),
        ({"result": "not_shared"}, lambda place: place % 5 in (1, 4)),
        ({"result": "recorded"}, lambda place: place % 5 == 2),
        ({"since": "2026-11-20"}, lambda place: place <= 5),
        ({"until": "2026-11-20"}, lambda place: place >= 5),
        ({"since": "20-11-2026", "until": "22-11-2026"}, lambda place: 3 <= place <= 5),
        ({"since": "2026-11-01", "result": "recorded"}, lambda place: place % 5 == 2),
    ],
)
async def test_each_filter(fields: dict[str, str], expected: object) -> None:
    assert callable(expected)
    cards = build_log(20)
    async with build_log_world(cards).client() as client:
        page = await look_for(client, **fields)
    wanted = [card.number for place, card in enumerate(cards) if expected(place)]
    assert read_numbers(page.text) == wanted
    assert f"{len(wanted)} regels gevonden." in page.text


async def test_a_filter_that_everything_fits_leaves_nothing_out() -> None:
    cards = build_log(5 * CARDS - 4)
    found: list[int] = []
    async with build_log_world(cards).client() as client:
        await look_for(client, since="2020-01-01")
        for page in range(1, 6):
            found += read_numbers((await client.get(f"/log?page={page}")).text)
    assert found == [card.number for card in cards]


async def test_a_filter_that_finds_nothing_says_so_and_how_to_go_on() -> None:
    async with build_log_world(build_log(30)).client() as client:
        page = await look_for(client, organisation="bestaat niet")
        assert page.status_code == 200
        assert "Niets gevonden" in page.text
        assert "Laat alles zien" in page.text
        assert "bestaat niet" in page.text  # what was typed is still there


async def test_a_search_in_a_long_log_stops_says_how_far_it_came_and_goes_on_there() -> None:
    cards = build_log(MOST_READS * 100 + 40)
    oldest = cards[-1].model_copy(update={"requester_name": "De eerste school"})
    world = build_log_world([*cards[:-1], oldest])
    async with world.client() as client:
        world.desk.asked.clear()
        page = await look_for(client, organisation="eerste school")
        assert len(world.desk.asked) == 1 + MOST_READS
        assert "Nog niets gevonden" in page.text
        assert f"Wij bekeken {MOST_READS * 100} regels." in page.text
        onward = await client.get("/log?page=2")
        assert read_numbers(onward.text) == [oldest.number]


async def test_what_is_wrong_with_a_filter_stands_beside_it_and_nothing_is_lost() -> None:
    async with build_log_world(build_log(30)).client() as client:
        for fields, sentence in (
            ({"since": "gisteren"}, "Geef een datum"),
            ({"since": "2026-11-20", "until": "2026-11-01"}, "niet vóór de eerste dag"),
            ({"organisation": "x" * 300}, "een deel is genoeg"),
        ):
            page = await look_for(client, **{"organisation": "Linde", **fields})
            assert page.status_code == 422
            assert sentence in page.text
            assert f'value="{fields.get("organisation", "Linde")}"' in page.text
        page = await client.get("/log")
        assert len(read_numbers(page.text)) == CARDS


async def test_what_was_typed_when_the_session_had_ended_is_there_after_the_login() -> None:
    world = build_log_world(build_log(30), build_log(30, ("Team van het kind",)))
    async with world.client(represents=True) as client:
        page = await client.get("/log")
        form = read_form(page.text, "/person")
        page = await client.post("/person", data={**form, "person": "represented"})
        token = client.cookies[world.site.cookies.session]
        held = world.site.sessions.require(token, clock.now())
        held.opened_at = clock.now() - LONGEST
        typed = {**read_form(page.text, "/log"), "organisation": "het kind", "since": "2026-11-01"}
        ended = await client.post("/log", data=typed)
        assert ended.status_code == 401
        assert "Wat u typte, is bewaard" in ended.text
        name, value = world.log_in(represents=True)
        client.cookies.clear()
        client.cookies.set(name, value)
        again = await client.get("/log")
        assert 'value="het kind"' in again.text
        assert 'value="2026-11-01"' in again.text
        assert "U kijkt namens iemand anders" in again.text


async def test_what_a_partner_wrote_is_text_on_every_page() -> None:
    card = build_entry(1, NOW, ask_what(source=HOSTILE), HOSTILE)
    world = build_log_world(
        [card, build_entry(0, NOW - timedelta(days=1), ask_who(given=[HOSTILE]))]
    )
    async with world.client() as client:
        for path in ("/log", "/log/1", "/log/0"):
            html = (await client.get(path)).text
            assert "<img src=x" not in html
            assert "&lt;img src=x" in html
            assert "{{ 7*7 }}" in html
            assert "%(name)s" in html


async def test_an_entry_shows_each_part_with_its_reason() -> None:
    async with build_log_world([build_entry(1, NOW, ask_what())]).client() as client:
        html = " ".join((await client.get("/log/1")).text.split())
    for part in (
        "Wie", "Waarom", "Wat", "Mocht dit?", "Welke wet", "Hoe lang", "Bewijs",
        "Klopt dit niet?", "Wie u kan helpen",
    ):  # fmt: skip
        assert re.search(rf"<h2 id=\"\w+\">{re.escape(part)}</h2>", html), part
    assert "010 555 02 00" in html  # the contact of the trust list
    assert "Uw regisseur wil weten wie u al helpt" in html
    assert "Om te weten welke afspraken over geld gelden." in html
    assert "Dit gegeven is niet nodig voor het doel." in html
    assert html.count("“Wij maken samen") + html.count("<q>Wij maken samen") == 5
    for question in (
        "Past het bij het doel?", "Kon het niet anders, met minder?", "Is het niet te veel?",
        "Helpt dit echt?", "Wist de inwoner het?",
    ):  # fmt: skip
        assert question in html
    assert "Wet gemeentelijke schuldhulpverlening 8d" in html
    outside = set(re.findall(r'href="(https?://[^"]*)"', html))
    laws = {url for url in outside if "overheid.nl" in url}
    assert laws
    assert all(re.fullmatch(r"https://wetten\.overheid\.nl/BWBR\d{7}", url) for url in laws)
    assert "na 365 dagen verwijderen" in html
    assert 'href="/questions/new?about=1"' in html
    assert 'href="/objections/new?about=1"' in html


async def test_what_is_told_later_says_why_and_since_when() -> None:
    card = tell_later(6, NOW, ask_what(), "Veilig Thuis")
    async with build_log_world([card]).client() as client:
        listed = (await client.get("/log")).text
        shown = (await client.get("/log/7")).text
    for html in (listed, shown):
        assert "U ziet dit nu pas, door de veiligheid van een kind." in html
        assert "26 oktober 2026" in html  # when it was asked
    assert "U kunt het zien sinds 25 november 2026." in shown
    assert "Veilig Thuis" in shown
    assert "vertrouwensarts" in shown


async def test_a_period_that_ended_finds_what_was_told_later_by_when_it_was_asked() -> None:
    told = tell_later(900, NOW, ask_what(), "Veilig Thuis")
    async with build_log_world([told, *build_log(20)]).client() as client:
        page = await look_for(client, since="2026-10-20", until="2026-10-31")
        assert read_numbers(page.text) == [901]
        page = await look_for(client, since="2026-11-20")
        assert 901 not in read_numbers(page.text)


async def test_a_refused_question_says_that_nothing_was_learned() -> None:
    async with build_log_world([build_entry(1, NOW, ask_who(permit=False))]).client() as client:
        html = (await client.get("/log/1")).text
    assert "Nee. Daarom is er niets gegeven." in html
    assert "De organisatie kreeg niets." in html
    assert "Schuldhulp" not in html


async def test_a_number_that_is_not_there_is_answered_alike_whatever_it_is() -> None:
    """Guessed, another's and waiting are one and the same to the portal: an empty page."""
    world = build_log_world([build_entry(1, NOW, ask_who())], [build_entry(2, NOW, ask_who())])
    answers = []
    async with world.client(represents=True) as client:
        for typed in ("2", str(NOT_THERE), str(2**53), "1x", "01", "-1", "²", "9" * 40):
            answer = await client.get(f"/log/{typed}")
            token = re.sub(r'value="[\w-]{10,}"', "", answer.text)
            answers.append((answer.status_code, token.replace(f"/log/{typed}", "/log/N")))
    assert {status for status, _ in answers} == {404}
    assert len({re.sub(r"/log/[^?\"]*", "/log/N", text) for _, text in answers}) == 1


@pytest.mark.parametrize("path", ["/receipts/{}", "/consents/{}/withdraw", "/blocks/{}/lift"])
async def test_a_number_of_thousands_of_digits_is_an_address_that_is_not_there(path: str) -> None:
    async with build_log_world([]).client() as client:
        assert (await client.get(path.format("9" * 5_000))).status_code == 404


async def test_ones_own_entry_that_was_erased_says_so() -> None:
    world = build_log_world([])
    world.desk.erased.add(7)
    async with world.client(represents=True) as client:
        page = await client.get("/log/7")
        assert page.status_code == 410
        assert "De inhoud is vernietigd." in page.text
        form = read_form(page.text, "/person")
        await client.post("/person", data={**form, "person": "represented"})
        assert (await client.get("/log/7")).status_code == 404


async def test_two_persons_never_mix() -> None:
    """The other's log, filters, names and place are their own, and a form of one is not of both."""
    own, other = build_log(40, ("Team van mij",)), build_log(60, ("Team van het kind",))
    async with build_log_world(own, other).client(represents=True) as client:
        page = await look_for(client, organisation="van mij", result="recorded")
        assert "Team van mij" in page.text
        mine = read_form(page.text, "/log")
        changed = await client.post(
            "/person", data={**read_form(page.text, "/person"), "person": "represented"}
        )
        assert "U ziet nu de pagina’s van de persoon voor wie u kijkt." in changed.text
        assert "van mij" not in changed.text
        assert "Team van het kind" in changed.text
        assert "Waar ‘u’ staat" in changed.text
        assert len(read_numbers(changed.text)) == CARDS  # no filter
        stale = await client.post("/log", data={**mine, "organisation": "van mij"})
        assert stale.status_code == 409
        assert "van mij" not in (await client.get("/log")).text
        back = await client.post(
            "/person", data={**read_form(changed.text, "/person"), "person": "self"}
        )
        assert "het kind" not in back.text
        assert 'value="van mij"' in back.text


async def test_who_represents_nobody_sees_no_switch_and_gets_nobody_elses_log() -> None:
    world = build_log_world(build_log(3), build_log(3, ("Team van het kind",)))
    async with world.client() as client:
        page = await client.get("/log")
        assert 'action="/person"' not in page.text
        form = {
            name: value for name, value in read_form(page.text, "/log").items() if name != "who"
        }
        await client.post("/person", data={**form, "person": "represented"})
        page = await client.get("/log")
        assert page.status_code == 200
        assert "Sociaal team Rijnstad" in page.text


async def test_without_a_login_there_is_nothing() -> None:
    world: LogWorld = build_log_world(build_log(3))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=world.app), base_url="http://p")
    async with client:
        for path in ("/log", "/log/7"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert "Sociaal team" not in answer.text
    assert world.desk.asked == []


@pytest.mark.parametrize(
    ("says", "result"),
    [
        (ask_who(), "shared"),
        (ask_who(given=()), "nothing"),
        (ask_who(permit=False), "refused"),
        (ask_what(), "partly"),
        (ask_what(permit=False), "refused"),
        ({**ask_what(), "delivered": {"fields": [], "failure": "source_unreachable"}}, "nothing"),
        ({**ask_who(given=()), "event": "request_contact"}, "contact"),
        (REGISTERED, "recorded"),
        ({"event": "erased", "detail": {"count": 3}}, "recorded"),
    ],
)
def test_what_became_of_it_in_one_word(says: dict[str, Any], result: str) -> None:
    assert find_result(build_entry(1, NOW, says)) == result


def test_a_law_is_a_link_by_its_number_and_by_nothing_else() -> None:
    def find(bwb: object) -> tuple[Law, ...]:
        article = {"law": "Wgs", "article": "8d", "bwb": bwb}
        revisions = [
            {"digest": "0", "articles": [{**article, "bwb": "BWBR0000001"}]},
            {"digest": "1", "articles": [article]},
        ]
        return find_laws({"purposes": {"help": {"revisions": revisions}}}, "help", "1")

    assert [law.url for law in find("BWBR0031331")] == ["https://wetten.overheid.nl/BWBR0031331"]
    for wrong in ("BWBR0031331/../x", "javascript:1", "BWBR003133", "", None, 7):
        assert find(wrong) == ()
    assert find_laws({}, "help", "1") == ()


@pytest.mark.parametrize("places", [[], [0.0], [0.0, 0.0, 100.0], [50.0] * 25, [99.0, 99.5, 100.0]])
def test_points_in_the_picture_keep_apart_and_their_order(places: list[float]) -> None:
    found = spread(places)
    assert found == sorted(found)
    assert all(0 <= place <= 100 for place in found)
    apart = min(8.0, 100 / (len(places) - 1)) if len(places) > 1 else 0
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert all(gap >= apart - 0.11 for gap in gaps)
