"""The downloads as a browser asks for them: what comes, for whom, and what never does."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pikepdf
import pytest

from connectors.portal.errors import OwnLogError
from connectors.portal.pages.paper.gathering import MOST_IN_DOCUMENT
from datwat.party import clock
from datwat.party.http_out import PeerUnreachableError
from datwat.protocol.access_log import AccessLog
from datwat.protocol.acts import Page
from datwat.protocol.errors import DatwatError
from datwat.protocol.own_affairs import OwnInvolvements
from datwat.web.dates import ZONE
from datwat.web.problems import PaperFailedError, SessionMissingError
from tests.portal.downloads_world import build_downloads_world
from tests.portal.log_world import NOW, LogWorld, ask_who, build_entry, build_log, read_form

FAMILY = "/downloads/family"
WORDS = "Wij willen dat Mirjam blijft bellen."


async def ask(client: httpx.AsyncClient, path: str = "/downloads", **fields: str) -> httpx.Response:
    """Send the first form of a page with what somebody filled in."""
    page = await client.get(path)
    assert page.status_code == 200, page.text
    return await client.post(path, data={**read_form(page.text, path), **fields})


def count_entries(answer: httpx.Response) -> int:
    """Return how many entries a document has: their headings."""
    with pikepdf.open(io.BytesIO(answer.content)) as pdf, pdf.open_outline() as outline:
        return sum(len(year.children) for part in outline.root for year in part.children)


async def test_the_document_comes_by_a_form_and_no_cache_keeps_it() -> None:
    async with build_downloads_world(build_log(7)).client() as client:
        answer = await ask(client, what="pdf")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="own-log-20')
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert str(answer.request.url).endswith("/downloads")
    assert count_entries(answer) == 7


async def test_a_file_is_named_after_the_day_that_it_is_in_the_netherlands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: late)
    async with build_downloads_world().client() as client:
        answer = await ask(client, FAMILY, what="json")
    assert 'filename="family-copy-2026-11-26.json"' in answer.headers["content-disposition"]


async def test_the_document_speaks_the_language_of_the_page() -> None:
    for language, title in (("nl", "Wie vroeg"), ("en", "Who asked")):
        async with build_downloads_world(build_log(1)).client(language=language) as client:
            answer = await ask(client, what="pdf")
        with pikepdf.open(io.BytesIO(answer.content)) as pdf:
            assert language == pdf.Root.Lang
            assert str(pdf.docinfo["/Title"]).startswith(title)


async def test_a_period_holds_its_days_only_and_may_be_empty() -> None:
    cards = build_log(9)
    async with build_downloads_world(cards).client() as client:
        day = cards[2].at.date().isoformat()
        assert count_entries(await ask(client, what="pdf", since=day)) == 3
        assert count_entries(await ask(client, what="pdf", since=day, until=day)) == 1
        answer = await ask(client, what="pdf", until="1999-01-01")
        assert (answer.status_code, count_entries(answer)) == (200, 0)


async def test_a_wrong_date_is_said_and_what_was_typed_stays() -> None:
    async with build_downloads_world(build_log(2)).client() as client:
        answer = await ask(client, what="pdf", since="31-02-2026", until="gisteren")
        assert answer.status_code == 422
        assert "dag, maand en jaar" in answer.text
        assert 'value="gisteren"' in answer.text
        answer = await ask(client, what="pdf", since="2026-02-02", until="2026-02-01")
        assert answer.status_code == 422
        assert (await ask(client, what="exe")).status_code == 422


async def test_a_log_that_is_too_long_is_offered_in_parts_that_hold_all_of_it() -> None:
    cards = build_log(MOST_IN_DOCUMENT + 130)
    async with build_downloads_world(cards).client() as client:
        answer = await ask(client, what="pdf")
        assert answer.status_code == 422
        assert "630 regels" in answer.text
        parts = [piece.split('"')[0] for piece in answer.text.split('name="part" value="')[1:]]
        assert len(parts) == 2
        fields = read_form(answer.text, "/downloads")
        counts = [
            count_entries(
                await client.post("/downloads", data={**fields, "what": "pdf", "part": part})
            )
            for part in parts
        ]
    assert counts == [MOST_IN_DOCUMENT, 130]


async def test_a_single_day_of_ours_is_one_document_also_where_it_is_two_of_utc() -> None:
    midnight = NOW.astimezone(ZONE).replace(hour=0, minute=30).astimezone(UTC)
    cards = [
        build_entry(MOST_IN_DOCUMENT + 9 - place, midnight + timedelta(hours=hour), ask_who())
        for place, hour in enumerate([20] * 3 + [0] * MOST_IN_DOCUMENT)
    ]
    async with build_downloads_world(cards).client() as client:
        assert count_entries(await ask(client, what="pdf")) == len(cards)


async def test_the_file_holds_the_whole_log() -> None:
    async with build_downloads_world(build_log(230)).client() as client:
        answer = await ask(client, what="json")
    found = json.loads(answer.content)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert len(found["log"]["entries"]) == 230
    assert found["log"]["is_whole"] is True
    assert (found["eyes"], found["made_by"]) == ("self", {"name": "Gemeente Rijnstad"})


async def test_who_represents_gets_the_other_log_and_their_eyes() -> None:
    world = build_downloads_world(build_log(3), build_log(5))
    async with world.client(represents=True) as client:
        own = await client.get("/downloads")
        await client.post(
            "/person", data={**read_form(own.text, "/person"), "person": "represented"}
        )
        found = json.loads((await ask(client, what="json")).content)
        assert (found["eyes"], len(found["log"]["entries"])) == ("representative", 5)
        # A form that was made about oneself is not answered about the other.
        stale = await client.post(
            "/downloads", data={**read_form(own.text, "/downloads"), "what": "json"}
        )
    assert stale.status_code == 409


@pytest.mark.parametrize("path", ["/downloads", FAMILY])
async def test_another_site_and_a_stranger_get_nothing(path: str) -> None:
    world = build_downloads_world(build_log(2))
    async with world.client() as client:
        fields = {**read_form((await client.get(path)).text, path), "what": "json"}
        for changed in (
            {**fields, "csrf": "x" * 43},
            {k: v for k, v in fields.items() if k != "csrf"},
        ):
            assert (await client.post(path, data=changed)).status_code == 403
        foreign = await client.post(path, data=fields, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        client.cookies.clear()
        for answer in (await client.post(path, data=fields), await client.get(path)):
            assert answer.status_code == 401
            assert "entries" not in answer.text


async def test_the_familys_words_are_in_their_copy_and_nowhere_else() -> None:
    world = build_downloads_world(build_log(1))
    async with world.client() as client:
        words = {"for_whom": "Ons gezin", "agreed": "Elke woensdag.", "remarks": f"{WORDS}\r\nTwee"}
        found = json.loads((await ask(client, FAMILY, what="json", **words)).content)
        assert found["remarks"] == f"{WORDS}\nTwee"
        assert found["involvements"]["now"][0]["contact"]["name"] == "M. de Wit"
        answer = await ask(client, FAMILY, what="pdf", **words)
        assert answer.content.startswith(b"%PDF-")
        assert answer.headers["content-disposition"].startswith(
            'attachment; filename="family-copy-'
        )
        assert WORDS not in (await client.get(FAMILY)).text


async def test_the_same_form_sent_twice_gives_the_same_copy() -> None:
    async with build_downloads_world().client() as client:
        page = await client.get(FAMILY)
        fields = {**read_form(page.text, FAMILY), "what": "json", "remarks": WORDS}
        first, second = [(await client.post(FAMILY, data=fields)).json() for _ in range(2)]
    assert (first["remarks"], second["remarks"]) == (WORDS, WORDS)


async def test_too_many_words_are_said_and_stay() -> None:
    async with build_downloads_world().client() as client:
        answer = await ask(client, FAMILY, what="pdf", remarks="a" * 5_001)
    assert answer.status_code == 422
    assert "hooguit 5.000 tekens" in answer.text
    assert "a" * 5_001 in answer.text


@pytest.mark.parametrize("error", [PeerUnreachableError, OwnLogError, PaperFailedError])
async def test_words_stay_on_the_page_where_the_copy_cannot_be_made(
    error: type[DatwatError],
) -> None:
    world = build_downloads_world()

    async def fail(_handle: bytes) -> None:
        raise error

    vars(world.desk)["fetch_involvements"] = fail
    async with world.client() as client:
        answer = await ask(client, FAMILY, what="pdf", remarks=WORDS)
        assert answer.status_code == 503
        assert WORDS in answer.text
        assert "Uw woorden staan nog op deze pagina." in answer.text
        # The same page sends it again, and then it is made.
        vars(world.desk)["fetch_involvements"] = build_downloads_world().desk.fetch_involvements  # type: ignore[attr-defined]  # set there
        fields = {**read_form(answer.text, FAMILY), "what": "json", "remarks": WORDS}
        assert (await client.post(FAMILY, data=fields)).json()["remarks"] == WORDS


async def test_a_file_says_through_whose_eyes_also_where_somebody_switches_meanwhile() -> None:
    world = build_downloads_world()
    read: Callable[[bytes], Awaitable[OwnInvolvements]] = vars(world.desk)["fetch_involvements"]
    async with world.client(represents=True) as client:
        *_, session = world.site.sessions._held.values()  # noqa: SLF001 - a second window of the same

        async def switch(handle: bytes) -> OwnInvolvements:
            session.held.viewing = "represented"
            return await read(handle)

        vars(world.desk)["fetch_involvements"] = switch
        answer = await ask(client, FAMILY, what="json", remarks=WORDS)
    assert answer.json()["eyes"] == "self"


async def test_words_wait_where_the_broker_ended_the_session() -> None:
    world = build_downloads_world()

    async def fail(_handle: bytes) -> None:
        raise SessionMissingError

    vars(world.desk)["fetch_involvements"] = fail
    async with world.client() as client:
        answer = await ask(client, FAMILY, what="pdf", remarks=WORDS)
        assert answer.status_code == 401
        # A page that is asked for before the login takes nothing of it.
        assert (await client.get(FAMILY)).status_code == 401
        log_in_again(world, client)
        assert WORDS in (await client.get(FAMILY)).text


async def test_a_period_waits_too_and_for_whom_it_was_typed() -> None:
    world = build_downloads_world()

    async def fail(_handle: bytes, _page: Page) -> AccessLog:
        raise SessionMissingError

    async with world.client(represents=True) as client:
        *_, session = world.site.sessions._held.values()  # noqa: SLF001 - a second window of the same
        session.held.viewing = "represented"
        read = world.desk.fetch_access_log
        vars(world.desk)["fetch_access_log"] = fail
        answer = await ask(client, what="pdf", since="02-01-2026")
        assert answer.status_code == 401
        assert "Wat u typte, is bewaard" in answer.text
        vars(world.desk)["fetch_access_log"] = read
        log_in_again(world, client, represents=True)
        page = (await client.get("/downloads")).text
        assert 'value="02-01-2026"' in page
        assert read_form(page, "/downloads")["who"] == "represented"


def log_in_again(world: LogWorld, client: httpx.AsyncClient, *, represents: bool = False) -> None:
    name, value = world.log_in(represents=represents)
    client.cookies.clear()
    client.cookies.set(name, value)


async def test_words_typed_in_a_session_that_ended_wait_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = build_downloads_world()
    async with world.client() as client:
        fields = read_form((await client.get(FAMILY)).text, FAMILY)
        later = clock.now() + timedelta(minutes=20)
        monkeypatch.setattr(clock, "now", lambda: later)
        answer = await client.post(FAMILY, data={**fields, "what": "pdf", "remarks": WORDS})
        assert answer.status_code == 401
        assert WORDS not in answer.text
        log_in_again(world, client)
        assert WORDS in (await client.get(FAMILY)).text
        assert WORDS not in (await client.get(FAMILY)).text
