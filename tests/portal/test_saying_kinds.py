"""Each thing that somebody can say: what it sends, what it offers, how it stands afterwards."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from datwat.party.http_out import PeerTooSlowError
from datwat.protocol.acts import Wish
from tests.portal.affairs import (
    ATTENDANCE,
    DEBT,
    FULL,
    INCOME,
    NAMES,
    OTHER,
    OWN,
    YOUTH,
    Affairs,
    build_consent,
    build_involvement,
    build_objection,
    change,
)
from tests.portal.saying import StandIn
from tests.portal.surfing import Surfer, read_choice


async def test_a_yes_says_exactly_what_and_a_no_says_nothing_to_anybody(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.open("/consents/new")
    assert "checked" not in page.text
    choice = read_choice(page, ATTENDANCE, YOUTH)
    page = await surfer.send(await surfer.send(page, choice=choice), term="6")
    assert "checked" not in page.text
    buttons = re.findall(r'<button class="([^"]*)"[^>]*name="answer" value="(\w+)"', page.text)
    assert buttons == [("button button--equal", "yes"), ("button button--equal", "no")]
    none = await surfer.post(page)
    assert none.status_code == 422
    assert "Kies ja of nee." in none.text
    said_no = await surfer.send(page, answer="no")
    assert "U zei nee. Er verandert niets, en wij bewaren dit niet." in said_no.text
    assert desk.prepared == 0

    page = await surfer.send(await surfer.open("/consents/new"), choice=choice)
    receipt = await surfer.send(await surfer.send(page, term="6"), answer="yes")
    assert "U zei ja" in receipt.text
    (wish,) = desk.wishes
    consent = wish.consent
    assert consent is not None
    assert (consent.kind, consent.purpose, consent.product) == (
        "explicit",
        "school_attendance",
        "jeugdhulp",
    )
    assert (consent.source, consent.requester) == (YOUTH, ATTENDANCE)
    assert consent.fields == ("status", "contact")
    assert (consent.given_by, consent.written) == ("self", True)
    assert consent.until_at - consent.given_at == timedelta(days=182)


async def test_who_represents_somebody_consents_as_their_representative(
    surfer: Surfer, desk: StandIn
) -> None:
    surfer.world.find(surfer.token).viewing = "represented"
    page = await surfer.open("/consents/new")
    page = await surfer.send(page, choice=read_choice(page, ATTENDANCE, YOUTH))
    page = await surfer.send(page, term="3")
    assert "Dan beslist het kind zelf." in page.text
    await surfer.send(page, answer="yes")
    ((handle, wish),) = desk.sent.values()
    assert handle == OTHER
    assert wish.consent is not None
    assert wish.consent.given_by == "representative"


async def test_nothing_is_offered_where_no_source_is_involved_or_it_was_said(
    surfer: Surfer, desk: StandIn
) -> None:
    desk.own = Affairs()
    assert "U hoeft nu nergens ja of nee op te zeggen" in (await surfer.open("/consents")).text
    desk.own = Affairs(now=(build_involvement(),))
    offered = await surfer.open("/consents/new")
    assert "krijgen van Jeugdhulp Rijnmond" in offered.text
    assert "krijgen van Sociaal team" not in offered.text
    given = build_consent(fields=())
    desk.own = change(desk.own, consents=(given,))
    page = await surfer.open("/consents/new")
    assert f"{NAMES[ATTENDANCE]} zou iets krijgen van Jeugdhulp Rijnmond" not in page.text


async def test_an_objection_is_made_where_the_ground_allows_it_only(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.open("/objections/new")
    action = page.text.index("</form>", page.text.index('action="/objections/new"'))
    assert "Recht op een uitkering" in page.text[action:]
    assert "Recht op een uitkering" not in page.text[:action]
    page = await surfer.send(await surfer.send(page, purpose="all"), reason="Ik wil dit niet.")
    assert "Loopt iemand gevaar? Dan mag het toch." in page.text
    await surfer.send(page)
    (wish,) = desk.wishes
    assert wish.objection is not None
    assert (wish.objection.purpose, wish.objection.reason) == (None, "Ik wil dit niet.")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/objections/61/lift", Wish(lifts=61)),
        ("/blocks/67/lift", Wish(lifts=67)),
        ("/shield/68/lift", Wish(lifts=68)),
        ("/consents/51/withdraw", Wish(withdraws=51)),
    ],
)
async def test_what_was_said_is_taken_back_with_one_button(
    surfer: Surfer, desk: StandIn, path: str, expected: Wish
) -> None:
    desk.own = FULL
    page = await surfer.open(path)
    assert page.text.count("<fieldset") == 0
    await surfer.send(page)
    assert desk.wishes == [expected]


async def test_an_organisation_is_named_once_and_what_it_cannot_stop_is_said(
    surfer: Surfer, desk: StandIn
) -> None:
    desk.own = FULL
    page = await surfer.open("/blocks/new")
    assert INCOME not in page.text
    page = await surfer.send(page, organisation=DEBT)
    for words in ("Schuldhulp Rijnstad", "Veilig Thuis", "Recht op een uitkering"):
        assert words in page.text
    assert "Gemeente Rijnstad</span>" in page.text  # the header is still that of the site
    await surfer.send(page)
    assert desk.wishes == [Wish(blocks=DEBT)]


async def test_many_organisations_are_a_list_to_open(surfer: Surfer, desk: StandIn) -> None:
    desk.names = {f"{99 * 10**12 + n:020d}:school": f"School {n}" for n in range(300)}
    page = await surfer.open("/blocks/new")
    assert "<select" in page.text
    refused = await surfer.post(page, organisation="")
    assert refused.status_code == 422
    chosen = list(desk.names)[7]
    assert "School 7" in (await surfer.send(refused, organisation=chosen)).text


async def test_counts_are_words_and_the_first_page_stands_without_the_broker(
    surfer: Surfer, desk: StandIn
) -> None:
    desk.own = FULL
    hub = await surfer.open("/wishes")
    for words in (
        "1 antwoord kwam binnen. 1 wacht op antwoord.",
        "2 antwoorden kwamen binnen. 2 wachten op antwoord.",
        "1 keer ja geldt nu.",
        "U noemde 1 organisatie.",
        "Dit staat aan.",
    ):
        assert words in hub.text
    first = await surfer.open("/")
    assert "3 antwoorden kwamen binnen. 3 wachten op antwoord." in first.text
    desk.own = Affairs()
    assert "Niets wacht op antwoord." in (await surfer.open("/")).text
    desk.away = PeerTooSlowError()
    first = await surfer.open("/")
    assert "wacht op antwoord" not in first.text
    assert (await surfer.client.get("/wishes")).status_code == 504


async def test_an_answer_that_is_late_is_called_late(surfer: Surfer, desk: StandIn) -> None:
    late = build_objection(answer_by=build_objection().made_at)
    desk.own = Affairs(objections=(late,))
    assert "Het antwoord is te laat" in (await surfer.open("/objections")).text
    desk.own = Affairs(objections=(build_objection(),))
    page = await surfer.open("/objections")
    assert "Het antwoord is te laat" not in page.text
    assert "Wacht op antwoord" in page.text


async def test_the_remedy_of_an_answer_is_named_where_there_is_one(
    surfer: Surfer, desk: StandIn
) -> None:
    upheld, rejected = FULL.objections[3], FULL.objections[2]
    desk.own = Affairs(objections=(rejected,))
    assert (
        "Schrijf dan binnen zes weken aan de gemeente." in (await surfer.open("/objections")).text
    )
    desk.own = Affairs(objections=(upheld,))
    page = await surfer.open("/objections")
    assert "zes weken" not in page.text
    assert OWN not in page.content
