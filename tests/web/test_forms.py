"""Forms: from our own page, done once, never lost, and bounded."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from datwat.party import clock
from datwat.web.forms import LONGEST_VALUE, MOST_BYTES, MOST_FIELDS, Answers, parse
from datwat.web.problems import FormInvalidError
from datwat.web.sessions import IDLE, PARKED, Session
from tests.web.visitor import Visitor
from tests.web.world import World

TEXT = "Waarom vroeg u dit? – groet, Zoë"


async def test_a_form_is_done_and_its_notice_is_shown_once(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    answer = await visitor.send({**fields, "question": TEXT})
    assert (answer.status_code, answer.headers["location"]) == (303, "/gallery")
    assert world.done == [TEXT]
    assert "Uw vraag is verstuurd." in (await visitor.client.get("/gallery")).text
    assert "Uw vraag is verstuurd." not in (await visitor.client.get("/gallery")).text


async def test_the_same_form_twice_is_done_once(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    first = await visitor.send(fields)
    again = await visitor.send(fields)
    assert first.headers["location"] == again.headers["location"]
    assert again.status_code == 303
    assert world.done == [TEXT]


async def test_the_same_form_twice_at_once_is_done_once(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    world.waits = asyncio.Event()
    fields = {**await visitor.read_form(), "question": TEXT}
    both = [asyncio.ensure_future(visitor.send(fields)) for _ in range(2)]
    await asyncio.sleep(0.1)
    world.waits.set()
    assert [answer.status_code for answer in await asyncio.gather(*both)] == [303, 303]
    assert world.done == [TEXT]


async def test_who_waits_for_one_that_was_refused_and_who_comes_later_do_it_once() -> None:
    session: Session[str] = Session("held", b"mark", "csrf", clock.now(), clock.now())
    answers = Answers(session)
    refused = answers.claim("form")
    answers.keep("form", Response("", 422))
    assert answers.claim("form") is refused
    answers.keep("form", Response("", 303, {"location": "/there"}))
    assert answers.find("form") == "/there"


async def test_a_form_that_was_refused_can_be_mended_and_sent(
    visitor: Visitor, world: World
) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    wrong = await visitor.send({**fields, "question": "  ", "name": "Zoë <b>"})
    assert wrong.status_code == 422
    assert "2 antwoorden kloppen nog niet" in wrong.text
    assert 'href="#field-question"' in wrong.text
    assert 'value="Zoë &lt;b&gt;"' in wrong.text
    assert (await visitor.send({**fields, "question": TEXT})).status_code == 303
    assert world.done == [TEXT]


@pytest.mark.parametrize("token", ["", "x" * 43, "é"])
async def test_without_the_sessions_own_token_nothing_is_done(
    visitor: Visitor, world: World, token: str
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT, "csrf": token}
    answer = await visitor.send(fields)
    assert answer.status_code == 403
    assert world.done == []


async def test_the_token_of_somebody_elses_session_is_not_ours(
    visitor: Visitor, world: World
) -> None:
    await visitor.log_in()
    theirs = await visitor.read_form()
    visitor.client.cookies.clear()
    await visitor.log_in(who="pairwise-2")
    assert (await visitor.send({**theirs, "question": TEXT})).status_code == 403
    assert world.done == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://site.example.elsewhere.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_another_site_sends_no_form(
    visitor: Visitor, world: World, headers: dict[str, str]
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    assert (await visitor.send(fields, **headers)).status_code == 403
    assert world.done == []


async def test_a_page_without_a_referrer_sends_its_form(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    answer = await visitor.send(fields, Origin="null", Sec_Fetch_Site="same-origin")
    assert answer.status_code == 303


async def test_what_is_too_much_is_refused_with_a_page(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    for size in (MOST_BYTES, 200_000):  # ours, and that of the gate before it
        answer = await visitor.send({**fields, "question": "x" * size})
        assert answer.status_code == 413
        assert answer.headers["content-type"].startswith("text/html")
        assert "te groot" in answer.text
    assert world.done == []


async def test_what_is_no_form_is_refused_with_a_page(visitor: Visitor, world: World) -> None:
    await visitor.log_in()
    fields = await visitor.read_form()
    for content, kind in (
        (b"csrf=%FF", "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"x", "multipart/form-data; boundary=x"),
    ):
        answer = await visitor.client.post(
            "/gallery", content=content, headers={"Content-Type": kind}
        )
        assert answer.status_code in (400, 415)
        assert answer.headers["content-type"].startswith("text/html")
    assert (await visitor.send({"csrf": fields["csrf"], "question": TEXT})).status_code == 400
    for strange in ("\x00", "\x1b[2J", "a\x7f"):
        assert (await visitor.send({**fields, "question": strange})).status_code == 400
    assert world.done == []


async def test_what_was_typed_when_the_session_had_ended_waits_for_the_same_person(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT, "why": "private"}
    later = clock.now() + IDLE
    monkeypatch.setattr(clock, "now", lambda: later)
    answer = await visitor.send(fields)
    assert answer.status_code == 401
    assert "Wat u typte, is bewaard" in answer.text
    assert '/login?next=/gallery"' in answer.text
    assert TEXT not in answer.text
    monkeypatch.undo()  # the provider's clock is the machine's
    await visitor.log_in("/login?next=/gallery")
    page = (await visitor.client.get("/gallery")).text
    assert TEXT in page
    assert 'value="private" checked' in page
    assert world.done == []
    # It is shown once: nobody who comes after finds it.
    assert TEXT not in (await visitor.client.get("/gallery")).text


async def test_a_bsn_waits_for_nobody(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.log_in()
    note = "Het gaat om 999 990 019."
    fields = {**await visitor.read_form(), "question": TEXT, "bsn": "999990019", "note": note}
    later = clock.now() + IDLE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert (await visitor.send(fields)).status_code == 401
    [waits] = world.site.forms._parked.values()  # noqa: SLF001 - that it is in no memory is what is tested
    assert waits.values["question"] == (TEXT,)
    assert "999990019" not in str(waits.values)
    assert "999 990 019" not in str(waits.values)  # nor in a text that somebody typed freely


async def test_nobody_else_finds_what_was_typed(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    later = clock.now() + IDLE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert (await visitor.send(fields)).status_code == 401
    monkeypatch.undo()
    await visitor.log_in(who="pairwise-2")
    assert TEXT not in (await visitor.client.get("/gallery")).text


async def test_another_site_leaves_nothing_for_somebody_to_find(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    later = clock.now() + IDLE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert (await visitor.send({**fields, "csrf": "x" * 43})).status_code == 403
    assert (await visitor.send(fields, Origin="https://elsewhere.example")).status_code == 403
    monkeypatch.undo()
    await visitor.log_in()
    assert TEXT not in (await visitor.client.get("/gallery")).text


async def test_what_was_typed_waits_a_quarter_of_an_hour(
    visitor: Visitor, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    before = clock.now() - IDLE - PARKED
    session = next(iter(world.site.sessions._held.values()))  # noqa: SLF001 - its age is what is tested
    session.opened_at = session.seen_at = before
    moment = before + IDLE
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert (await visitor.send(fields)).status_code == 401
    monkeypatch.undo()
    await visitor.log_in()
    assert TEXT not in (await visitor.client.get("/gallery")).text


async def test_nothing_waits_for_who_logged_out_or_has_no_token(
    visitor: Visitor, world: World
) -> None:
    await visitor.log_in()
    fields = {**await visitor.read_form(), "question": TEXT}
    token = visitor.client.cookies["datwat-session"]
    await visitor.send(fields, "/logout")
    visitor.client.cookies.set("datwat-session", token, domain="site.example")
    answer = await visitor.send(fields)
    assert answer.status_code == 401
    assert "is bewaard" not in answer.text


@given(st.binary(max_size=400))
def test_whatever_arrives_is_a_form_or_refused(body: bytes) -> None:
    try:
        values = parse(body)
    except FormInvalidError:
        return
    for name, found in values.items():
        assert name.isprintable()
        for value in found:
            assert len(value) <= LONGEST_VALUE
            assert not {sign for sign in value if sign < " " and sign not in "\n\t"}


def test_values_and_fields_are_bounded() -> None:
    assert parse(b"a=1&a=2&b=%C3%A9%0D%0Ax") == {"a": ("1", "2"), "b": ("é\nx",)}
    assert parse(b"") == {}
    many = "&".join(f"f{number}=x" for number in range(MOST_FIELDS + 1))
    for body in (many.encode(), b"a=" + b"x" * (LONGEST_VALUE + 1)):
        with pytest.raises(FormInvalidError):
            parse(body)
