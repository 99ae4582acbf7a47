"""What somebody says at the pages: once, about whom they meant, nothing lost, nothing half done."""

from __future__ import annotations

import pytest

from datwat.party.http_out import PeerRefusedError, PeerUnreachableError
from datwat.protocol.bundle import Bundle
from datwat.web.problems import SessionMissingError
from tests.portal.affairs import FULL, OTHER, OWN, TEAM, Affairs, build_question, change
from tests.portal.saying import URL, StandIn, World, read_form
from tests.portal.surfing import PATHS, Surfer


async def test_a_question_goes_out_as_it_was_typed_and_gets_a_receipt(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.send(await surfer.open("/questions/new?about=12"), to=TEAM)
    page = await surfer.send(page, text="  Waarom\r\nvroeg u dit?\t")
    assert "Waarom vroeg u dit?" in page.text
    assert "/log/12" in page.text
    receipt = await surfer.send(page)
    assert "Uw vraag is verstuurd" in receipt.text
    assert ">900<" in receipt.text
    (wish,) = desk.wishes
    assert wish.asks is not None
    assert (wish.asks.to, wish.asks.text, wish.asks.about) == (TEAM, "Waarom vroeg u dit?", 12)


async def test_a_receipt_tells_until_when_the_answer_comes(surfer: Surfer, desk: StandIn) -> None:
    page = await surfer.begin_question()
    end = desk.own.questions[0].answer_by
    desk.own = change(desk.own, questions=(build_question(number=900, answer_by=end),))
    receipt = await surfer.send(page)
    assert "Antwoord uiterlijk op" in receipt.text
    desk.away = PeerUnreachableError()
    again = await surfer.open("/receipts/900")
    assert ">900<" in again.text
    assert "U krijgt binnen een maand antwoord." in again.text


async def test_the_same_form_sent_twice_is_done_once_and_answered_alike(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.begin_question()
    first, second = await surfer.post(page), await surfer.post(page)
    assert first.headers["location"] == second.headers["location"] == "/receipts/900"
    assert len(desk.wishes) == 1


async def test_what_was_lost_on_the_way_back_is_sent_again_and_done_once(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.begin_question("Mijn lange vraag")
    desk.is_lost = True
    lost = await surfer.post(page)
    assert lost.status_code == 502
    assert "Wij weten nog niet of het is verstuurd" in lost.text
    assert "Mijn lange vraag" in lost.text
    desk.is_lost = False
    assert (await surfer.post(lost)).headers["location"] == "/receipts/900"
    assert len(desk.wishes) == 1


async def test_a_withdrawal_that_was_lost_is_found_done(surfer: Surfer, desk: StandIn) -> None:
    desk.own = FULL
    page = await surfer.open("/consents/51/withdraw")
    desk.is_lost = True
    lost = await surfer.post(page)
    desk.is_lost, desk.own = False, change(FULL, consents=())
    assert (await surfer.post(lost)).headers["location"] == "/receipts/900"
    assert [wish.withdraws for wish in desk.wishes] == [51]


async def test_what_the_broker_refused_is_said_not_to_be_sent_and_built_anew(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.begin_question()
    desk.broken = PeerRefusedError("stale", 409)
    refused = await surfer.post(page)
    assert refused.status_code == 502
    assert "Het is niet verstuurd" in refused.text
    desk.broken = None
    assert (await surfer.post(refused)).status_code == 303
    assert (desk.prepared, len(desk.wishes)) == (2, 1)


async def test_a_wish_that_is_refused_says_that_nothing_changed(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.begin_question()
    desk.is_refused = True
    refused = await surfer.post(page)
    assert refused.status_code == 422
    assert "Er is niets veranderd" in refused.text
    assert "receipt__number" not in refused.text


async def test_what_is_typed_after_the_session_has_ended_waits_for_the_same_person(
    surfer: Surfer, desk: StandIn
) -> None:
    surfer.world.find(surfer.token).viewing = "represented"
    page = await surfer.send(await surfer.open("/questions/new"), to=TEAM)
    surfer.end()
    ended = await surfer.post(page, text="Dit duurde lang.")
    assert ended.status_code == 401
    assert "Wat u typte, is bewaard" in ended.text
    assert "/login?next=/questions/new/text" in ended.text
    surfer.log_in()
    page = await surfer.open("/questions/new/text")
    assert "Dit duurde lang." in page.text
    receipt = await surfer.send(await surfer.send(page, text="Dit duurde lang."))
    assert "Uw vraag is verstuurd" in receipt.text
    # About whom it was typed, though a new session begins with oneself.
    assert [handle for handle, _ in desk.sent.values()] == [OTHER]


async def test_what_waited_is_still_there_when_the_page_is_loaded_again(surfer: Surfer) -> None:
    page = await surfer.send(await surfer.open("/questions/new"), to=TEAM)
    surfer.end()
    await surfer.post(page, text="Dit duurde lang.")
    surfer.log_in()
    for _ in range(2):
        assert "Dit duurde lang." in (await surfer.open("/questions/new/text")).text


async def test_taking_back_goes_on_about_the_same_person_after_a_new_login(
    surfer: Surfer, desk: StandIn
) -> None:
    desk.own, desk.other = change(FULL, blocks=()), FULL
    surfer.world.find(surfer.token).viewing = "represented"
    page = await surfer.open("/blocks/67/lift")
    surfer.end()
    assert (await surfer.post(page)).status_code == 401
    surfer.log_in()
    await surfer.send(await surfer.open("/blocks/67/lift"))
    assert [handle for handle, _ in desk.sent.values()] == [OTHER]


async def test_what_is_sent_when_the_broker_ended_the_session_is_kept_too(
    surfer: Surfer, desk: StandIn
) -> None:
    page = await surfer.begin_question("Nog een keer")
    desk.broken = SessionMissingError()
    ended = await surfer.post(page)
    assert ended.status_code == 401
    assert "Wat u typte, is bewaard" in ended.text
    desk.broken = None
    surfer.log_in()
    again = await surfer.open("/questions/new/check")
    assert "Nog een keer" in again.text
    assert (await surfer.post(again)).status_code == 303
    assert len(desk.wishes) == 1


async def test_who_switches_meanwhile_in_a_second_window_changes_nothing_of_what_was_sent(
    surfer: Surfer, desk: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.own = FULL
    page = await surfer.open("/consents/51/withdraw")
    held, read = surfer.world.find(surfer.token), desk.require_bundle

    async def switch() -> Bundle:
        held.viewing = "represented"
        return await read()

    monkeypatch.setattr(desk, "require_bundle", switch)
    done = await surfer.post(page)
    assert done.status_code == 303
    assert [handle for handle, _ in desk.sent.values()] == [OWN]
    number = int(done.headers["location"].rpartition("/")[2])
    assert held.said.find_receipt("self", number)
    assert not held.said.find_receipt("represented", number)


@pytest.mark.parametrize(
    "path", ["/involved", "/wishes", "/consents", "/objections", "/blocks/67/lift"]
)
async def test_a_page_is_about_one_person_though_somebody_switches_while_it_is_made(
    surfer: Surfer, desk: StandIn, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    desk.own = FULL
    held, find, asked = surfer.world.find(surfer.token), desk.find, []

    def switch(handle: bytes) -> Affairs:
        asked.append(handle)
        held.viewing = "represented"
        return find(handle)

    monkeypatch.setattr(desk, "find", switch)
    page = await surfer.open(path)
    assert set(asked) == {OWN}
    assert "U kijkt voor uzelf" in page.text
    assert "U kijkt namens iemand anders" not in page.text
    monkeypatch.undo()
    assert "U kijkt namens iemand anders" in (await surfer.open("/wishes")).text


@pytest.mark.parametrize("step", ["/questions/new", "/shield/on", "/consents/51/withdraw"])
async def test_a_page_that_was_made_about_another_person_does_nothing(
    surfer: Surfer, desk: StandIn, step: str
) -> None:
    desk.own = change(FULL, shield=None)
    page = await surfer.open(step)
    surfer.world.find(surfer.token).viewing = "represented"
    other = await surfer.post(page, to=TEAM)
    assert other.status_code == 409
    assert "Er is niets verstuurd" in other.text
    assert desk.prepared == 0


async def test_what_was_answered_about_one_person_is_not_shown_with_the_other(
    surfer: Surfer,
) -> None:
    await surfer.begin_question("Alleen van mij")
    surfer.world.find(surfer.token).viewing = "represented"
    page = await surfer.client.get("/questions/new/check")
    assert page.status_code == 303
    assert "Alleen van mij" not in (await surfer.open("/questions/new")).text


async def test_steps_cannot_be_skipped_and_hidden_answers_not_made_up(
    surfer: Surfer, desk: StandIn
) -> None:
    for path in ("/questions/new/check", "/consents/new/check", "/objections/new/reason"):
        skipped = await surfer.client.get(path)
        assert skipped.headers["location"] == path.rpartition("/")[0]
    page = await surfer.send(await surfer.open("/objections/new"), purpose="debt_counselling")
    page = await surfer.send(page, reason="Omdat ik dat vind.")
    for changed in ({"purpose": "income_support"}, {"purpose": "no_such"}, {"reason": ""}):
        sent = await surfer.post(page, **changed)
        assert sent.headers["location"].startswith("/objections/new")
    page = await surfer.begin_question()
    sent = await surfer.post(page, to="00000099000000009999:somebody")
    assert sent.headers["location"] == "/questions/new"
    assert desk.prepared == 0


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Origin": "https://elsewhere.example"}, {}),
        ({"Origin": URL, "Sec-Fetch-Site": "cross-site"}, {}),
        ({"Origin": URL}, {"csrf": "x" * 43}),
        ({"Origin": URL}, {"csrf": ""}),
    ],
)
async def test_another_site_can_do_nothing(
    surfer: Surfer, desk: StandIn, headers: dict[str, str], fields: dict[str, str]
) -> None:
    action, hidden = read_form(await surfer.open("/shield/on"))
    sent = await surfer.client.post(action, data=hidden | fields, headers=headers)
    assert sent.status_code == 403
    assert desk.prepared == 0


@pytest.mark.parametrize("path", [*PATHS[1:], "/questions/new", "/receipts/900"])
async def test_without_a_login_there_is_nothing(world: World, path: str) -> None:
    async with world.connect() as client:
        page = await client.get(path)
    assert page.status_code == 401
    assert "Sociaal team" not in page.text


@pytest.mark.parametrize("number", [51, 52, 999])
@pytest.mark.parametrize(
    "path", ["/consents/{}/withdraw", "/objections/{}/lift", "/blocks/{}/lift", "/shield/{}/lift"]
)
async def test_a_number_that_is_not_ones_own_is_not_here(
    surfer: Surfer, path: str, number: int
) -> None:
    """51 is a consent of the other person; 52 one that was withdrawn; 999 nobody's."""
    surfer.world.desk.other = FULL
    await surfer.open(path.format(number), 404)


async def test_a_receipt_of_nobody_here_is_looked_for_in_the_log(surfer: Surfer) -> None:
    page = await surfer.client.get("/receipts/4711")
    assert (page.status_code, page.headers["location"]) == (303, "/log/4711")
