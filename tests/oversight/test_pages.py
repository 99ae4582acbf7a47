"""The pages of oversight, without a browser: who may, what a look does, and what no page says."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert

from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import ActRecord
from broker.purposes.roles import Acting, EndAsked, GiveAsked
from broker.transparency.figures import Month
from broker.transparency.oversight import LISTS
from datwat.web.dates import say_month
from tests.authoring.world import AUTHOR, OFFICER, RIJNSTAD, act_as
from tests.broker_pages.world import PagesWorld, Visitor, words_of
from tests.exchange.test_erasure import LOOK as ERASE
from tests.exchange.test_erasure import wish
from tests.exchange.world import bsns, inquire, now, open_household
from tests.oversight.planted import build_act
from tests.transparency.test_access_log import events, log_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
REVIEWER = act_as("t.oezicht", "reviewer")
_BSN = "999990019"


async def appoint(pages: PagesWorld) -> Acting:
    """Give the reviewer their role, once."""
    register = pages.office.broker.role_register
    if not register.find_roles("t.oezicht"):
        members = {"organisation": RIJNSTAD, "role": "reviewer", "staff": "t.oezicht", "key": None}
        await register.give(GiveAsked.model_validate(members))
    return REVIEWER


async def _ask_about_somebody(pages: PagesWorld) -> tuple[str, int]:
    running, bsn = pages.office.running, next(NUMBERS)
    home = await open_household(running, bsn)
    number = running.broker.log.size
    await inquire(running, home, bsn)
    return bsn, number


async def test_every_page_opens_for_who_may(pages: PagesWorld, visitor: Visitor) -> None:
    paths = ("/reviews", "/reviews/findings", *(f"/reviews/{code}" for code in LISTS))
    shared = ("/figures", "/register", "/register/dpia")
    acting = await appoint(pages)
    await visitor.log_in(acting)
    for path in (*paths, *shared, "/reviews/entry/3"):
        await visitor.open(path)
    await visitor.log_in(OFFICER)
    for path in (*paths, *shared):
        page = await visitor.open(path)
        assert "/reviews/entry/" not in page.text
    await visitor.open("/reviews/entry/3", 403)  # a data protection officer reads, and looks not
    await visitor.log_in(AUTHOR)
    for path in paths:
        await visitor.open(path, 403)
    for path in shared:
        await visitor.open(path)


async def test_a_list_is_counted_when_somebody_asks(pages: PagesWorld, visitor: Visitor) -> None:
    row = build_act(0, 1, 5, now() - timedelta(hours=1), permit=False, blade="purpose")
    partner = pages.office.running.world.members["social-team"].id
    rows = [{**row, "idx": 5_000_000 + one, "partner": partner} for one in range(12)]
    with pages.office.broker.database.begin() as conn:
        conn.execute(insert(table_of(ActRecord)), rows)
    await visitor.log_in(await appoint(pages))
    before = await visitor.open("/reviews/refused")
    assert "5000011" not in before.text
    page = await visitor.send(before, "/reviews/refused")
    words = words_of(page)
    assert "Organisatie social-team" in words
    assert "12 keer geweigerd over dezelfde inwoner" in words
    assert 'href="/reviews/entry/5000011"' in page.text
    # Nothing on it names anybody.
    assert str(row["professional"]) not in words
    assert str(row["subject"]) not in words
    assert "1 rij" in words_of(await visitor.open("/reviews")).replace("Eén rij", "1 rij")
    await visitor.open("/reviews/everything", 404)


async def test_a_look_and_a_finding(pages: PagesWorld, visitor: Visitor) -> None:
    bsn, number = await _ask_about_somebody(pages)
    (resident,) = await log_in(pages.office.running, bsn)
    before = events(await resident.read())
    await visitor.log_in(await appoint(pages))
    path = f"/reviews/entry/{number}"
    asked = await visitor.open(path)
    assert "j.jansen" not in asked.text
    read = await visitor.client.get(f"{path}/read")
    assert (read.status_code, read.headers["location"]) == (303, path)  # no reason, no entry
    for wrong in ("", "kort", f"Over {_BSN} gaat het hier."):
        refused = await visitor.post(asked, path, reason=wrong)
        assert refused.status_code == 422
        assert "j.jansen" not in refused.text
        asked = await visitor.open(path)
    assert events(await resident.read()) == before
    page = await visitor.send(asked, path, reason="Steekproef van november.")
    words = words_of(page)
    assert "j.jansen" in words
    assert "Organisatie social-team" in words
    weighed = words.partition("<table")[2].partition("</table>")[0]
    assert "De vraag mag niet te ver gaan. Gevraagd: …" in weighed  # not its code
    assert not re.search(r">[a-z]+_[a-z_]+<", weighed)
    assert bsn not in words
    assert events(await resident.read()) == ["reviewed", *before]
    refused = await visitor.post(
        page, f"{path}/read", list="sample", outcome="", note="Alles goed."
    )
    assert refused.status_code == 422
    page = await visitor.open(f"{path}/read")
    found = await visitor.send(
        page, f"{path}/read", list="sample", outcome="nothing_wrong", note="Past bij de hulpvraag."
    )
    words = words_of(found)
    assert "Past bij de hulpvraag." in words
    assert "Niets aan de hand" in words
    assert "t.oezicht" not in words
    (finding,) = [
        one
        for one in pages.office.broker.oversight.reviewing.list_findings()
        if one.words.entries == (number,)
    ]
    assert (finding.outcome, finding.words.by) == ("nothing_wrong", "t.oezicht")
    assert (finding.until_at - finding.found_at).days == 730


async def test_what_was_erased_is_read_no_more(pages: PagesWorld, visitor: Visitor) -> None:
    running = pages.office.running
    bsn, number = await _ask_about_somebody(pages)
    await visitor.log_in(await appoint(pages))
    path = f"/reviews/entry/{number}"
    page = await visitor.send(await visitor.open(path), path, reason="Steekproef van november.")
    assert "j.jansen" in page.text
    (resident,) = await log_in(running, bsn)
    answer = await running.broker.erasures.answer(await wish(resident, number), ERASE)
    assert answer.outcome == "erased"
    read = await visitor.client.get(f"{path}/read")
    assert (read.status_code, read.headers["location"]) == (303, path)
    assert "j.jansen" not in read.text
    found = await visitor.post(
        page, f"{path}/read", list="sample", outcome="nothing_wrong", note="Past bij de hulpvraag."
    )
    assert (found.status_code, found.headers["location"]) == (303, path)
    assert all(
        number not in one.words.entries
        for one in running.broker.oversight.reviewing.list_findings()
    )


async def test_what_is_not_there_leaves_no_trace(pages: PagesWorld, visitor: Visitor) -> None:
    await visitor.log_in(await appoint(pages))
    size = pages.office.broker.log.size
    asked = await visitor.open("/reviews/entry/9999999")
    refused = await visitor.post(asked, "/reviews/entry/9999999", reason="Een goede reden.")
    assert refused.status_code == 422
    assert pages.office.broker.log.size == size


async def test_a_role_that_was_lost_looks_no_more(pages: PagesWorld, visitor: Visitor) -> None:
    register = pages.office.broker.role_register
    members = {"organisation": RIJNSTAD, "role": "reviewer", "staff": "t.ijdelijk"}
    await register.give(GiveAsked.model_validate({**members, "key": None}))
    _, number = await _ask_about_somebody(pages)
    await visitor.log_in(act_as("t.ijdelijk", "reviewer"))
    asked = await visitor.open(f"/reviews/entry/{number}")
    await register.end(EndAsked.model_validate(members))
    size = pages.office.broker.log.size
    refused = await visitor.post(asked, f"/reviews/entry/{number}", reason="Een goede reden.")
    assert refused.status_code == 403
    assert pages.office.broker.log.size == size


async def test_a_sample_is_drawn_by_a_button(pages: PagesWorld, visitor: Visitor) -> None:
    await visitor.log_in(await appoint(pages))
    page = await visitor.open("/reviews/sample")
    await visitor.send(page, "/reviews/sample/draw")
    await _ask_about_somebody(pages)
    page = await visitor.send(await visitor.open("/reviews/sample"), "/reviews/sample/draw")
    assert "Door het lot gekozen, als nummer 1." in words_of(page)
    await visitor.log_in(OFFICER)
    assert 'action="/reviews/sample/draw"' not in (await visitor.open("/reviews/sample")).text


async def test_figures_as_pictures_tables_and_a_file(pages: PagesWorld, visitor: Visitor) -> None:
    month = Month.before(now()).previous()  # that nobody counted yet
    at = month.from_at + timedelta(days=3)
    partner = pages.office.running.world.members["social-team"].id
    rows = [
        {**build_act(0, 1, one, at), "idx": 6_000_000 + one, "partner": partner}
        for one in range(14)
    ]
    with pages.office.broker.database.begin() as conn:
        conn.execute(insert(table_of(ActRecord)), rows)
    await visitor.log_in(AUTHOR)
    page = await visitor.open(f"/figures/{month}")
    words = words_of(page)
    assert 'class="bars" role="img"' in page.text
    said = say_month(month.from_at + timedelta(days=3), "nl")
    assert f"Cijfers van {said}" in words
    assert str(month) not in re.sub(r'(href|action)="[^"]*"', "", words)
    assert 'rel="prev"' in words
    assert re.search(r"Toegestaan</span><svg[^>]*>.*?</svg><span [^>]*>14</span>", words)
    file = await visitor.open(f"/figures/{month}/csv")
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in file.headers["content-disposition"]
    assert f"{month},Vragen over inwoners,Toegestaan,14\r\n" in file.text
    use = words_of(await visitor.open(f"/figures/{month}/partner/{partner}"))
    assert f"Gebruik door Organisatie social-team in {said}" in use
    await visitor.open(f"/figures/{month}/partner/{'0' * 20}:nobody", 404)
    await visitor.open("/figures/2999-01", 400)
    await visitor.open("/figures/gisteren", 400)


async def test_the_register_and_the_sheet_as_files(pages: PagesWorld, visitor: Visitor) -> None:
    await visitor.log_in(OFFICER)
    oversight = pages.office.broker.oversight
    register = (await visitor.open("/register/json")).json()
    assert register == oversight.read_register().to_json()
    assert (await visitor.open("/register/dpia/json")).json() == oversight.read_dpia().to_json()
    words = words_of(await visitor.open("/register"))
    titles = [
        version["datwat"]["title"]["nl"]
        for one in register["processing_activities"]
        for version in one["versions"]
        if "datwat" in version
    ]
    assert titles
    assert all(title in words for title in titles)
    assert "Toezicht op het gebruik" in words


async def test_register_and_fact_sheet_say_their_codes_in_words(visitor: Visitor) -> None:
    await visitor.log_in(OFFICER)
    for path in ("/register", "/register/dpia"):
        for code in ("nl", "en"):
            page = words_of(await visitor.open(f"{path}?lang={code}"))
            for said in re.findall(r"<d[dt]>([^<]*)</d[dt]>|<li>([^<]*)</li>", page):
                assert not re.search(r"\b[a-z]+_[a-z_]+\b|\b[a-z]+\.[a-z]+\b", "".join(said)), said
    dutch = words_of(await visitor.open("/register?lang=nl"))
    assert "Dat een organisatie betrokken is (dat)" in dutch
    assert "Family plan" not in dutch
