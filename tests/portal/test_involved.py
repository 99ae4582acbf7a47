"""Who is involved: everybody who is, in words and in pictures that say the same."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connectors.portal.pages.involved import MOST_DRAWN, MOST_ROWS, Line, build_ticks
from datwat.party.http_out import PeerTooSlowError
from datwat.protocol.acts import Contact
from datwat.protocol.own_affairs import OwnInvolvements
from tests.portal.affairs import FULL, NOW, Affairs, build_involvement, build_past, change
from tests.portal.saying import StandIn
from tests.portal.surfing import Surfer


async def test_each_organisation_has_its_kind_contact_and_days(
    surfer: Surfer, desk: StandIn
) -> None:
    desk.own = FULL
    page = await surfer.open("/involved")
    assert "3 organisaties lieten ons weten" in page.text
    for words in (
        "Sociaal team Rijnstad",
        "Hulp van het sociaal team",
        "Jeugdhulpverlener",
        "P. Vos",
        'href="tel:0105550131"',
        'href="/log/41"',
    ):
        assert words in page.text
    assert page.text.count("Uw vaste contactpersoon") == 1
    team = page.text.index("Uw vaste contactpersoon")
    assert page.text.index("Sociaal team Rijnstad") < team < page.text.index("Jeugdhulp Rijnmond")


async def test_an_address_that_says_more_than_an_address_is_no_link(
    surfer: Surfer, desk: StandIn
) -> None:
    contact = {"role": "Team", "phone": "toestel 4", "email": "a@b.example?bcc=c@d.example"}
    desk.own = change(FULL, now=(build_involvement(contact=Contact.model_validate(contact)),))
    main = (await surfer.open("/involved")).text.partition("<main")[2].partition("</main")[0]
    assert "toestel 4" in main
    assert "a@b.example?bcc=c@d.example" in main
    assert "mailto:" not in main
    assert 'href="tel:"' not in main


async def test_what_its_source_shields_is_a_domain_and_a_central_number(
    surfer: Surfer, desk: StandIn
) -> None:
    desk.own = change(FULL, now=FULL.now[2:], past=())
    page = await surfer.open("/involved")
    assert "Zorg en ondersteuning" in page.text
    assert "14 030" in page.text
    assert "Wij laten hier niet zien welke organisatie dit is." in page.text
    assert "niet bekend" in page.text  # since when


async def test_nobody_is_not_the_same_as_no_help(surfer: Surfer, desk: StandIn) -> None:
    desk.own = Affairs()
    page = await surfer.open("/involved")
    assert "Er is hier nu geen organisatie bekend" in page.text
    assert "Dat betekent niet dat niemand u helpt." in page.text
    assert '<svg class="network' not in page.text
    assert "Er is nog geen geschiedenis." in page.text
    assert "Wat deze pagina niet kan weten" in page.text


@pytest.mark.parametrize(("is_whole", "count"), [(False, 2), (True, MOST_ROWS + 1)])
async def test_a_history_that_is_not_whole_says_so(
    surfer: Surfer, desk: StandIn, is_whole: bool, count: int
) -> None:
    past = tuple(build_past(number=number) for number in range(count))
    desk.own = Affairs(past=past, is_whole=is_whole)
    page = await surfer.open("/involved")
    assert "Dit is niet alles" in page.text
    assert page.text.count("<tr>") == min(count, MOST_ROWS) + 1
    desk.own = Affairs(past=past[:2])
    assert "Dit is niet alles" not in (await surfer.open("/involved")).text


async def test_the_pictures_say_what_the_tables_say(surfer: Surfer, desk: StandIn) -> None:
    desk.own = FULL
    page = await surfer.open("/involved")
    names = re.findall(
        r'<rect class="history__bar( history__bar--over)?".*?<title>([^<]*)<', page.text
    )
    rows = re.findall(r'<th scope="row"[^>]*>([^<]*)</th>', page.text)
    assert [name for _, name in names] == rows[3:]
    over = [bool(kind) for kind, _ in names]
    assert over == [False, False, False, True, True]
    # Drawn twice, for wide and narrow windows.
    assert page.text.count("network__box ") + page.text.count('network__box"') == 6


async def test_very_many_stay_readable(surfer: Surfer, desk: StandIn) -> None:
    desk.own = Affairs(now=tuple(build_involvement(number=n) for n in range(200)))
    page = await surfer.open("/involved")
    assert page.text.count("network__box") == 2 * MOST_DRAWN
    assert f"Het plaatje toont de eerste {MOST_DRAWN}." in page.text
    assert page.text.count("card__title") == 200


async def test_a_broker_that_is_away_is_said_to_be(surfer: Surfer, desk: StandIn) -> None:
    desk.away = PeerTooSlowError()
    page = await surfer.open("/involved", 504)
    assert "Wat nog wel werkt" in page.text


def test_shares_lie_within_the_picture() -> None:
    line = Line(NOW - timedelta(days=100), NOW)
    assert line.find_share(NOW - timedelta(days=25)) == 75
    assert line.find_share(NOW - timedelta(days=1000)) == 0
    assert line.find_share(NOW + timedelta(days=9)) == 100
    assert Line(NOW, NOW).find_share(NOW) == 0


@pytest.mark.parametrize("days", [0, 10, 500, 9_000])
def test_there_are_a_few_years_at_most_and_in_order(days: int) -> None:
    past = (build_past(since_at=NOW - timedelta(days=days)),)
    found = OwnInvolvements(v=1, rid=b"r" * 16, as_of=NOW, now=(), past=past, is_whole=True)
    ticks = build_ticks(found)
    assert len(ticks) <= 4
    assert [share for share, _ in ticks] == sorted(share for share, _ in ticks)
    assert all(0 <= share <= 100 for share, _ in ticks)
