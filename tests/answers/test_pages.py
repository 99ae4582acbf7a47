"""The officers' answer pages: lists with terms, an answer that counts at once, who may what."""

from __future__ import annotations

import html
import io
from datetime import timedelta

import pikepdf
import pytest

from broker.exchange.answering_lists import LISTS
from broker.purposes.roles import RoleName
from datwat.protocol.acts import Objection, Question
from tests.answers.pages_world import Fields, Pages, build_pages, read_errors
from tests.answers.test_duties import open_untold
from tests.answers.world import TEXT, build_desk, count_pointers, list_numbers
from tests.exchange.test_openings import open_waiting
from tests.exchange.test_wishes import log_in
from tests.exchange.world import Running, bsns, inquire, now, open_household, register
from tests.transparency.test_access_log import log_in as log_in_to_read

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
URL = "http://127.0.0.1:1"
ANSWER = {"outcome": "upheld", "controller": "public", "do": "send"}


@pytest.fixture(scope="module")
def pages(broker: Running) -> Pages:
    return build_pages(broker, URL)


async def object_to_all(running: Running, reason: str = "Ik wil dit niet.") -> str:
    (resident,) = await log_in(running, next(NUMBERS))
    return str(await resident.record(objection=Objection(made_at=now(), reason=reason)))


async def test_every_list_has_a_page_and_says_so_when_nothing_waits(
    broker: Running, pages: Pages
) -> None:
    surfer = pages.log_in("f.gans", "reviewer")
    overview = await surfer.open("/answers")
    for name in LISTS:
        assert f'href="/answers/{name}"' in overview
        page = await surfer.open(f"/answers/{name}")
        assert ('<div class="empty">' in page) == (not list_numbers(broker, name))
    await surfer.open("/answers/never", status=404)
    await surfer.open("/answers/objections/999999", status=404)
    await surfer.open("/answers/urgent/0123456789ab", status=404)


async def test_an_answer_from_the_page_counts_at_once_and_is_read_in_the_log(
    broker: Running, pages: Pages
) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    (resident,) = await log_in(broker, bsn)
    number = await resident.record(objection=Objection(made_at=now(), reason="Liever <niet>."))
    assert await count_pointers(broker, home, bsn) == 0
    surfer = pages.log_in("f.gans", "reviewer")
    listed = await surfer.open("/answers/objections")
    assert f'href="/answers/objections/{number}"' in listed
    page = await surfer.open(f"/answers/objections/{number}")
    assert "Liever &lt;niet&gt;." in page
    fields: Fields = {**ANSWER, "outcome": "rejected", "text": TEXT}
    fields["blocks"] = ["weighed", "contact"]

    shown = await surfer.post(page, **{**fields, "do": "preview"})
    assert shown.status_code == 200
    assert "Wij hebben uw reden afgewogen" in shown.text
    assert await count_pointers(broker, home, bsn) == 0  # looking at it sends nothing

    done = await surfer.send(shown.text, **fields)

    assert await count_pointers(broker, home, bsn) == 1
    assert TEXT in done
    assert f"/answers/objections/{number}/letter/nl" in done
    (reading,) = await log_in_to_read(broker, bsn)
    told = next(card for card in (await reading.read()).cards if card.event == "answered")
    assert told.details["answer"] == (
        "Wij hebben uw reden afgewogen tegen de hulp die nodig is. Wilt u hierover praten? Bel of "
        f"mail ons. Wij helpen u graag. {TEXT}"
    )
    assert told.details["remedy"] == "administrative"
    again = await surfer.post(shown.text, **fields)  # the same form a second time does nothing
    assert again.status_code == 303


async def test_the_letter_is_a_tagged_pdf_with_the_remedy(broker: Running, pages: Pages) -> None:
    number = await object_to_all(broker)
    surfer = pages.log_in("f.gans", "reviewer")
    page = await surfer.open(f"/answers/objections/{number}")
    await surfer.send(page, **ANSWER, text=TEXT)
    for language in ("nl", "en"):
        answer = await surfer.client.get(f"/answers/objections/{number}/letter/{language}")
        assert answer.headers["content-type"] == "application/pdf"
        assert "no-store" in answer.headers["cache-control"]
        assert answer.headers["content-disposition"].startswith("attachment")
        with pikepdf.open(io.BytesIO(answer.content)) as pdf:
            assert str(pdf.Root.Lang).startswith(language)
            assert pdf.Root.MarkInfo.Marked
    await surfer.open(f"/answers/objections/{number}/letter/xx", status=404)


async def test_what_is_missing_is_said_beside_its_field_and_nothing_is_done(
    broker: Running, pages: Pages
) -> None:
    number = await object_to_all(broker)
    surfer = pages.log_in("f.gans", "reviewer")
    page, size = await surfer.open(f"/answers/objections/{number}"), broker.broker.log.size
    refused = await surfer.post(page, do="send")
    assert refused.status_code == 422
    assert read_errors(refused.text) == {"outcome", "controller", "text"}
    refused = await surfer.post(page, **ANSWER, text="Uw nummer 999990019 klopt niet.")
    assert read_errors(refused.text) == {"text"}
    refused = await surfer.post(page, **ANSWER, text=TEXT, role="x\x07")
    assert refused.status_code in {400, 422}
    refused = await surfer.post(page, **ANSWER, text="a" * 2_001)
    assert "text" in read_errors(refused.text)
    refused = await surfer.post(page, **ANSWER, text=TEXT, blocks=["was_urgent"])
    assert "blocks" in read_errors(refused.text)
    assert broker.broker.log.size == size
    assert number in list_numbers(broker, "objections")


async def test_hard_words_are_a_warning_with_their_place(broker: Running, pages: Pages) -> None:
    number = await object_to_all(broker)
    surfer = pages.log_in("f.gans", "reviewer")
    page = await surfer.open(f"/answers/objections/{number}")
    hard = "Indien u het niet eens bent, dient u dit middels een brief kenbaar te maken."
    shown = await surfer.post(page, **{**ANSWER, "do": "preview"}, text=hard)
    assert "Sommige woorden zijn misschien moeilijk" in shown.text
    await surfer.send(shown.text, **ANSWER, text=hard)  # and may be sent as it is


async def test_who_only_reads_sees_no_form_and_does_nothing(broker: Running, pages: Pages) -> None:
    number = await object_to_all(broker)
    reviewer = pages.log_in("f.gans", "reviewer")
    page = await reviewer.open(f"/answers/objections/{number}")
    readers: tuple[RoleName, ...] = ("auditor", "data_protection_officer")
    for role in readers:
        reader = pages.log_in(f"reads.{role}"[:20], role)
        seen = await reader.open(f"/answers/objections/{number}")
        assert 'class="form"' not in seen.split("<main")[1]
    others: tuple[RoleName, ...] = ("author", "approver", "operator")
    for role in others:
        other = pages.log_in(f"not.{role}", role)
        for path in ("/answers", "/answers/objections", f"/answers/objections/{number}"):
            await other.open(path, status=403)
    # A form that was shown before the role was lost does nothing after it.
    pages.given["f.gans"] = frozenset()
    refused = await reviewer.post(page, **ANSWER, text=TEXT)
    assert refused.status_code == 403
    assert number in list_numbers(broker, "objections")


async def test_a_filter_leaves_what_is_overdue_or_of_one_partner(
    broker: Running, pages: Pages
) -> None:
    await open_untold(broker, next(NUMBERS))
    surfer = pages.log_in("f.gans", "reviewer")
    page = await surfer.open("/answers/tell")
    assert "Per regisseur" in page
    assert "j.jansen" in page
    team = broker.world.members["social-team"].id
    assert html.escape(team) in page or team.replace(":", "%3A") in page
    assert "j.jansen" in await surfer.open(f"/answers/tell?partner={team}")
    nothing = await surfer.open("/answers/tell?show=overdue")
    assert "Dit filter laat niets over" in nothing
    other = broker.world.members["school"].id
    assert "Dit filter laat niets over" in await surfer.open(f"/answers/tell?partner={other}")


async def test_two_colleagues_decide_about_destroying(broker: Running, pages: Pages) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    (resident,) = await log_in(broker, bsn)
    (reading,) = await log_in_to_read(broker, bsn)
    card = next(one for one in (await reading.read()).cards if one.event == "register")
    number = str(await resident.record(erases=card.number))
    first = pages.log_in("f.gans", "reviewer")
    page = await first.open(f"/answers/erasures/{number}")
    await first.send(page, text="De hulp is al lang voorbij.", do="send")
    assert number in list_numbers(broker, "erasures")
    page = await first.open(f"/answers/erasures/{number}")  # the same person again is one person
    await first.send(page, text="De hulp is al lang voorbij.", do="send")
    assert number in list_numbers(broker, "erasures")
    second = pages.log_in("p.smit", "reviewer")
    page = await second.open(f"/answers/erasures/{number}")
    assert "Een collega heeft al gekeken" in page
    # Whose role ended since counts no more: the second is the first now, until somebody else looks.
    held, pages.given["f.gans"] = pages.given["f.gans"], frozenset()
    await second.send(page, text="Ik ben het ermee eens.", do="send")
    assert number in list_numbers(broker, "erasures")
    pages.given["f.gans"] = held
    page = await first.open(f"/answers/erasures/{number}")
    await first.send(page, text="De hulp is al lang voorbij.", do="send")
    assert number not in list_numbers(broker, "erasures")


async def test_a_longer_term_is_given_and_a_situation_opened_from_the_page(
    broker: Running, pages: Pages
) -> None:
    bsn, before = next(NUMBERS), list_numbers(broker, "special")
    await open_waiting(broker, bsn)
    (number,) = list_numbers(broker, "special") - before
    surfer = pages.log_in("f.gans", "reviewer")
    page = await surfer.open(f"/answers/special/{number}")
    due = build_desk(broker).lists.require_item("special", number).due_at
    refused = await surfer.post(page, outcome="renew", text=TEXT, do="send", until="morgen")
    assert read_errors(refused.text) == {"until"}
    far = f"{due + timedelta(days=200):%Y-%m-%d}"
    refused = await surfer.post(page, outcome="renew", text=TEXT, do="send", until=far)
    assert read_errors(refused.text) == {"until"}
    later = f"{due + timedelta(days=2):%Y-%m-%d}"
    await surfer.send(page, outcome="renew", text=TEXT, do="send", until=later)
    assert build_desk(broker).lists.require_item("special", number).due_at > due
    page = await surfer.open(f"/answers/special/{number}")
    await surfer.send(page, outcome="open", text="", do="send")
    assert number not in list_numbers(broker, "special")


async def test_the_entry_that_an_item_is_about_is_looked_at_where_every_entry_is(
    broker: Running, pages: Pages
) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    (resident,) = await log_in(broker, bsn)
    (reading,) = await log_in_to_read(broker, bsn)
    asked = next(card for card in (await reading.read()).cards if card.event == "inquire")
    number = await resident.record(asks=Question(text="Waarom?", about=asked.number))
    link = f'href="/reviews/entry/{asked.number}"'
    path = f"/answers/questions/{number}"
    assert link in await pages.log_in("f.gans", "reviewer").open(path)
    assert link not in await pages.log_in("f.gans", "data_protection_officer").open(path)
