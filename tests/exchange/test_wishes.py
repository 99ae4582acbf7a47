"""What a resident wishes takes effect at once, is theirs, can be taken back, and is answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, update

from broker.adapters.log_tables import LogEntry, table_of
from broker.app import build_commands
from broker.audit import told
from broker.exchange.admission import read_question
from broker.exchange.answering import ObjectionUnknownError, QuestionUnknownError
from broker.exchange.answering_telling import AnsweredAlreadyError
from broker.exchange.errors import HandleUnknownError
from broker.transparency.own_affairs import Eyes
from datwat.party.http_in import read_message
from datwat.party.problems import InputInvalidError
from datwat.protocol.acts import Consent, Objection, Professional, Question, SpecialSituation, Wish
from datwat.protocol.answers import ActPart
from datwat.protocol.messages import ActObject
from datwat.protocol.own_affairs import OwnInvolvements, OwnWishes
from tests.exchange.world import (
    BROKER,
    MOTIVATION,
    ON_EACH_DATABASE,
    Household,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    release_part,
    say,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_ENTRIES = table_of(LogEntry)
OFFICER = {"by": "F.Gans", "role": "privacyfunctionaris"}
TEXT = "Wij hebben ernaar gekeken en het klopt."


@dataclass
class Resident:
    """Somebody at the portal."""

    running: Running
    handle: bytes

    async def wish(self, **members: Any) -> tuple[ActPart, int]:  # noqa: ANN401 - of the wish
        """Make a wish; return what came of it, and the number of its entry."""
        person = by_handle(self.handle, wish=Wish(**members))
        answer = await self.running.ask("portal", "wish", [person])
        index = answer.persons[0].index
        assert index is not None
        return act_part(answer), index

    async def record(self, **members: Any) -> int:  # noqa: ANN401 - as above
        part, number = await self.wish(**members)
        assert part.state == "recorded", part.weighing
        return number

    async def read_wishes(self) -> OwnWishes:
        eyes = await self._open("own_wishes")
        found = await self.running.api.own.fetch_wishes(eyes, self._directory)
        return OwnWishes.model_validate_json(found.model_dump_json())

    async def read_involvements(self) -> OwnInvolvements:
        eyes = await self._open("own_involvements")
        found = await self.running.api.own.fetch_involvements(eyes, self._directory)
        return OwnInvolvements.model_validate_json(found.model_dump_json())

    @property
    def _directory(self) -> Any:  # noqa: ANN401 - the trust list
        return self.running.broker.keeper.directory

    async def _open(self, act: str) -> Eyes:
        sent = self.running.world.build("portal", act, [by_handle(self.handle)])
        moment = self.running.broker.rooms.clock()
        admitted = read_message(sent.wire, self._directory, ActObject, aud=BROKER, now=moment)
        question = read_question(admitted, moment)
        view = await self.running.api.portal.open_view(question, lambda: None)
        return Eyes(view.subject_id, view.is_represented, sent.rid, question.now)


async def log_in(running: Running, *persons: str) -> list[Resident]:
    """Log in the first; the second, if any, is represented by them."""
    people = [by_bsn(bsn, identity="document") for bsn in persons]
    answer = await running.ask("portal", "open_session", people)
    handles = [act_part(answer, number).handle for number in range(len(persons))]
    return [Resident(running, handle) for handle in handles if handle is not None]


async def command(running: Running, name: str, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    return await build_commands(running.broker, lambda: None)[name](members)


async def release(running: Running, occasion: bytes, handle: bytes, reference: bytes) -> Any:  # noqa: ANN401
    person = by_handle(handle, involvement=reference)
    answer = await running.ask(
        "social-team",
        "release",
        [person],
        say(occasion=occasion, motivation=MOTIVATION),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members["debt-counselling"].id,
        product="schuldregeling",
        fields=["regeling.status"],
        reply_key="A" * 43,
    )
    return release_part(answer)


def team_of(running: Running) -> str:
    return running.world.members["social-team"].id


async def test_who_may_not_look_finds_nobody_until_it_is_taken_back(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    (pointer,) = inquiry_part(await inquire(broker, home, bsn)).pointers
    (resident,) = await log_in(broker, bsn)

    number = await resident.record(blocks=team_of(broker))

    assert inquiry_part(await inquire(broker, home, bsn)).pointers == ()
    refused = await release(broker, home.occasion, home.handles[bsn], pointer.involvement)
    unmet = {one.code for one in refused.weighing.findings if not one.satisfied}
    assert not refused.weighing.permitted
    assert "person_facts" in unmet
    assert refused.fields == ()
    assert "no_objection" not in unmet  # the requester does not learn what stands in the way
    (block,) = (await resident.read_wishes()).blocks
    assert (block.number, block.organisation) == (number, team_of(broker))
    assert block.organisation_name == "Organisatie social-team"
    assert block.until_at - block.since_at == timedelta(days=1825)

    await resident.record(lifts=number)

    assert (await resident.read_wishes()).blocks == ()
    assert len(inquiry_part(await inquire(broker, home, bsn)).pointers) == 1
    part, _ = await resident.wish(lifts=number)
    assert part.state == "refused"


async def test_another_organisation_goes_on_to_look(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    (resident,) = await log_in(broker, bsn)
    await resident.record(blocks=broker.world.members["school"].id)
    assert len(inquiry_part(await inquire(broker, home, bsn)).pointers) == 1


async def test_veilig_thuis_looks_whomever_a_person_names(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "youth-help", bsn, "youth_help")
    (resident,) = await log_in(broker, bsn)
    await resident.record(blocks=broker.world.members["veilig-thuis"].id)
    home = await open_household(
        broker, bsn, function="veilig-thuis", kind="report", inform_by=now() + timedelta(days=30)
    )
    answer = await broker.ask(
        "veilig-thuis",
        "inquire",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion),
        purpose=broker.purpose("domestic_violence"),
        rung="dat",
    )
    assert [one.kind for one in inquiry_part(answer).pointers] == ["youth_help"]


async def test_a_shielded_address_is_category_at_once_and_until_it_is_taken_back(
    broker: Running,
) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    (resident,) = await log_in(broker, bsn)

    number = await resident.record(shields=True)

    (pointer,) = inquiry_part(await inquire(broker, home, bsn)).pointers
    assert (pointer.rung, pointer.source, pointer.contact.name) == ("category", None, None)
    shield = (await resident.read_wishes()).shield
    assert shield is not None
    assert (shield.number, shield.until_at - shield.since_at) == (number, timedelta(days=1825))
    (own,) = (await resident.read_involvements()).now
    assert (own.shielded, own.contact.name) == (True, "A. Bakker")  # of their own they see all

    # Also what is registered only now.
    await register(broker, "income", bsn, "income_support")
    assert {one.rung for one in inquiry_part(await inquire(broker, home, bsn)).pointers} == {
        "category"
    }

    await resident.record(lifts=number)

    shown = inquiry_part(await inquire(broker, home, bsn)).pointers
    assert [one.rung for one in shown] == ["dat", "dat"]
    assert (await resident.read_wishes()).shield is None


async def test_a_representative_sees_and_ends_nothing_of_the_persons_own(broker: Running) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    (own,) = await log_in(broker, child)
    before = (await _represent(broker, parent, child)).read_wishes
    empty = (await before()).model_copy(update={"rid": bytes(16), "as_of": now()})
    team = team_of(broker)
    number = await own.record(blocks=team, shields=True, asks=Question(text="Wie is dit?"))
    objected = await own.record(objection=Objection(made_at=now()))
    representative = await _represent(broker, parent, child)
    seen = await representative.read_wishes()
    assert seen.model_copy(update={"rid": bytes(16), "as_of": empty.as_of}) == empty
    for one in (number, objected):
        part, _ = await representative.wish(lifts=one)
        assert part.state == "refused"
    # What they ask for themselves is theirs and the person's; ending it leaves the person's own.
    theirs = await representative.record(shields=True, blocks=team)
    seen = await representative.read_wishes()
    assert seen.shield is not None
    assert [seen.shield.number, *(one.number for one in seen.blocks)] == [theirs, theirs]
    assert {one.number for one in (await own.read_wishes()).blocks} == {number, theirs}
    await representative.record(lifts=theirs)
    assert (await representative.read_wishes()).shield is None
    held = (await own.read_wishes()).shield
    assert held is not None
    assert held.number == number


async def test_what_a_person_takes_back_alone_shows_nowhere_to_a_representative(
    broker: Running,
) -> None:
    """It counts no more, and whoever represents them sees it as they asked for it."""
    parent, child = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", child, "debt_counselling")
    home = await open_household(broker, child)
    theirs = await _represent(broker, parent, child)
    (own,) = await log_in(broker, child)
    blocked = await theirs.record(blocks=team_of(broker), shields=True)
    objected = await theirs.record(objection=Objection(made_at=now()))
    given = await _record_consent(broker, home, child)
    before = await theirs.read_wishes()
    assert before.shield
    assert [one.number for one in before.blocks] == [blocked]
    assert [one.number for one in before.objections] == [objected]
    assert [one.number for one in before.consents] == [given]

    for number in (blocked, objected):
        await own.record(lifts=number)
    await own.record(withdraws=given)

    (pointer,) = inquiry_part(await inquire(broker, home, child)).pointers
    assert pointer.rung == "dat"
    mine = await own.read_wishes()
    assert (mine.blocks, mine.objections, mine.shield) == ((), (), None)
    assert [one.withdrawn_at is None for one in mine.consents] == [False]
    asked = {**OFFICER, "outcome": "upheld", "controller": "other", "text": TEXT}
    with pytest.raises(ObjectionUnknownError):
        await command(broker, "objections_answer", **asked, number=objected)
    after = await theirs.read_wishes()
    assert after.model_copy(update={"rid": before.rid, "as_of": before.as_of}) == before
    for number in (blocked, objected):  # nor by taking it back themselves
        await theirs.record(lifts=number)
    await theirs.record(withdraws=given)
    last = await theirs.read_wishes()
    assert (last.blocks, last.objections, last.shield) == ((), (), None)
    assert [one.withdrawn_at is None for one in last.consents] == [False]
    part, _ = await theirs.wish(lifts=blocked)
    assert part.state == "refused"


async def _record_consent(running: Running, home: Household, bsn: str) -> int:
    consent = Consent(
        kind="no_objection",
        purpose="coordinate_family_help",
        given_by="both",
        written=True,
        given_at=now(),
        until_at=now() + timedelta(days=90),
    )
    person = by_handle(home.handles[bsn], consent=consent)
    answer = await running.ask(
        "social-team", "record_consent", [person], say(occasion=home.occasion)
    )
    index = answer.persons[0].index
    assert act_part(answer).state == "recorded"
    assert index is not None
    return index


async def _represent(running: Running, parent: str, child: str) -> Resident:
    _, represented = await log_in(running, parent, child)
    return represented


@contextmanager
def counted(running: Running) -> Iterator[list[str]]:
    """Collect the statements that are run, each with how many rows' contents were opened."""
    asked: list[str] = []
    sealing, database = running.broker.sealing, running.broker.database
    open_contents = sealing.open_contents

    def note(_c: object, _d: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    def count(*arguments: Any) -> Any:  # noqa: ANN401 - passed on
        asked.append(f"opens {len(arguments[-1])}")
        return open_contents(*arguments)

    event.listen(database, "before_cursor_execute", note)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sealing, "open_contents", count)
        yield asked
    event.remove(database, "before_cursor_execute", note)


async def test_what_is_for_the_person_alone_costs_a_representative_nothing(
    broker: Running,
) -> None:
    parent, child = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", child, "debt_counselling")
    representative = await _represent(broker, parent, child)
    seen = []
    for _ in range(2):
        with counted(broker) as asked:
            await representative.read_wishes()
            await representative.read_involvements()
        seen.append([one for one in asked if "log_" in one or one.startswith("opens")])
        (own,) = await log_in(broker, child)
        await own.record(blocks=team_of(broker), shields=True, asks=Question(text="Wie is dit?"))
        await register(broker, "youth-help", child, "youth_help", confidential=True)
    assert seen[0] == seen[1]
    assert [one for one in seen[0] if one.startswith("opens")] == ["opens 1", "opens 1"]


async def test_nobody_takes_back_anothers_wish(broker: Running) -> None:
    (one,), (other,) = await log_in(broker, next(NUMBERS)), await log_in(broker, next(NUMBERS))
    number = await one.record(blocks=team_of(broker), shields=True)
    part, _ = await other.wish(lifts=number)
    assert part.state == "refused"
    wishes = await one.read_wishes()
    assert wishes.shield
    assert wishes.blocks


async def test_an_objection_is_answered_once_with_its_remedy(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    (resident,) = await log_in(broker, bsn)
    said = Objection(purpose="coordinate_family_help", reason="Liever niet.", made_at=now())
    number = await resident.record(objection=said)
    assert inquiry_part(await inquire(broker, home, bsn)).pointers == ()
    (own,) = (await resident.read_wishes()).objections
    assert (own.number, own.state, own.answer, own.remedy) == (number, "open", None, None)
    assert timedelta(days=28) <= own.answer_by - own.made_at <= timedelta(days=31)
    listed = (await command(broker, "objections_list"))["objections"]
    (mine,) = [one for one in listed if one["number"] == number]
    assert (mine["reason"], mine["overdue"]) == ("Liever niet.", False)

    asked = {**OFFICER, "number": number, "outcome": "rejected", "controller": "public"}
    await command(broker, "objections_answer", **asked, text=TEXT)

    assert len(inquiry_part(await inquire(broker, home, bsn)).pointers) == 1  # it counts no more
    (own,) = (await resident.read_wishes()).objections
    assert (own.state, own.remedy) == ("rejected", "administrative")
    assert own.answer is not None
    assert (own.answer.text, own.answer.role) == (TEXT, "privacyfunctionaris")
    assert own.answer.number is not None
    assert own.answer.number > number
    listed = (await command(broker, "objections_list"))["objections"]
    assert number not in [one["number"] for one in listed]
    with pytest.raises(AnsweredAlreadyError):
        await command(broker, "objections_answer", **asked, text=TEXT)


async def test_a_question_is_answered_where_it_was_asked(broker: Running) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    asked_in = (await inquire(broker, home, bsn)).persons[0].index
    (resident,) = await log_in(broker, bsn)
    to = team_of(broker)
    number = await resident.record(asks=Question(to=to, text="Waarom vroeg u dit?", about=asked_in))
    listed = (await command(broker, "questions_list"))["questions"]
    (mine,) = [one for one in listed if one["number"] == number]
    assert (mine["to"], mine["about"], mine["question"]) == (to, asked_in, "Waarom vroeg u dit?")

    await command(broker, "questions_answer", **OFFICER, number=number, text=TEXT)

    (own,) = (await resident.read_wishes()).questions
    assert (own.number, own.state, own.to_name) == (number, "answered", "Organisatie social-team")
    assert own.answer is not None
    assert own.answer.text == TEXT
    with pytest.raises(AnsweredAlreadyError):
        await command(broker, "questions_answer", **OFFICER, number=number, text=TEXT)
    # About a card that is not in this log, nothing is asked: refused as what never was.
    part, _ = await resident.wish(asks=Question(text="En dit?", about=0))
    assert part.state == "refused"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"text": "kort"}, "$.text"),
        ({"outcome": "maybe"}, "$.outcome"),
        ({"controller": "nobody"}, "$.controller"),
        ({"role": ""}, "$.role"),
        ({"number": -1}, "$.number"),
    ],
)
async def test_an_answer_without_its_form_is_refused(
    broker: Running, change: Mapping[str, Any], place: str
) -> None:
    asked = {**OFFICER, "number": 1, "outcome": "upheld", "controller": "other", "text": TEXT}
    with pytest.raises(InputInvalidError) as caught:
        await command(broker, "objections_answer", **{**asked, **change})
    assert caught.value.place == place


async def test_a_number_of_something_else_is_no_objection_and_no_question(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = await resident.record(shields=True)
    asked = {**OFFICER, "outcome": "upheld", "controller": "other", "text": TEXT}
    for other in (number, 0, 10**9):
        with pytest.raises(ObjectionUnknownError):
            await command(broker, "objections_answer", **asked, number=other)
        with pytest.raises(QuestionUnknownError):
            await command(broker, "questions_answer", **OFFICER, text=TEXT, number=other)


async def test_an_objection_that_is_taken_back_waits_no_more(broker: Running) -> None:
    (resident,) = await log_in(broker, next(NUMBERS))
    number = await resident.record(objection=Objection(made_at=now()))
    await resident.record(lifts=number)
    assert (await resident.read_wishes()).objections == ()
    asked = {**OFFICER, "number": number, "outcome": "upheld", "controller": "other"}
    with pytest.raises(ObjectionUnknownError):
        await command(broker, "objections_answer", **asked, text=TEXT)


async def test_what_waits_with_a_special_situation_is_in_no_list(broker: Running) -> None:
    """A partner writes down an objection and a consent of which the person is told later."""
    bsn = next(NUMBERS)
    (resident,) = await log_in(broker, bsn)
    before = await resident.read_wishes()
    listed = await command(broker, "objections_list")
    situation = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Niemand mag dit weten.",
    )
    home = await open_household(
        broker,
        bsn,
        kind="report",
        inform_by=now() + timedelta(days=30),
        special_situation=situation,
    )
    consent = Consent(
        kind="no_objection",
        purpose="coordinate_family_help",
        given_by="self",
        written=True,
        given_at=now(),
        until_at=now() + timedelta(days=90),
    )
    for act, said in (
        ("record_objection", {"objection": Objection(made_at=now())}),
        ("record_consent", {"consent": consent}),
    ):
        answer = await broker.ask(
            "social-team", act, [by_handle(home.handles[bsn], **said)], say(occasion=home.occasion)
        )
        assert act_part(answer).state == "recorded"
    after = await resident.read_wishes()
    same = {"rid": before.rid, "as_of": before.as_of}
    assert after.model_copy(update=same) == before
    assert await command(broker, "objections_list") == listed

    (waiting,) = (await command(broker, "special_list"))["special_situations"]
    opened = {"number": waiting["number"], "by": "v.dijk", "role": "vertrouwensarts"}
    await command(broker, "special_open", **opened)

    told = await resident.read_wishes()
    assert [one.kind for one in told.consents] == ["no_objection"]
    (objection,) = told.objections
    assert objection.number in [
        one["number"] for one in (await command(broker, "objections_list"))["objections"]
    ]


async def test_what_waits_too_long_is_counted(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = await command(broker, "status")
    before = (status["objections_overdue"], status["questions_overdue"])
    (resident,) = await log_in(broker, next(NUMBERS))
    await resident.record(objection=Objection(made_at=now()), asks=Question(text="Wie?"))
    status = await command(broker, "status")
    assert (status["objections_overdue"], status["questions_overdue"]) == before
    clock = broker.broker.rooms.clock
    object.__setattr__(broker.broker.rooms, "clock", lambda: clock() + timedelta(days=32))
    try:
        counted = await command(broker, "status")
        listed = (await command(broker, "questions_list"))["questions"]
    finally:
        object.__setattr__(broker.broker.rooms, "clock", clock)
    assert counted["objections_overdue"] > before[0]
    assert counted["questions_overdue"] > before[1]
    assert all(one["overdue"] for one in listed)


async def test_who_has_no_session_reads_nothing(broker: Running) -> None:
    with pytest.raises(HandleUnknownError):
        await Resident(broker, bytes(16)).read_wishes()


async def test_a_wish_whose_contents_were_lost_holds_and_has_no_number(broker: Running) -> None:
    """It is the person's to see; a representative could never read it, and still cannot."""
    parent, child = next(NUMBERS), next(NUMBERS)
    (resident,) = await log_in(broker, child)
    number = await resident.record(blocks=team_of(broker), shields=True)
    with broker.broker.store.writing() as conn:  # as after a restore that lacks it
        conn.execute(update(_ENTRIES).values(sealed=None).where(_ENTRIES.c.idx == number))
    wishes = await resident.read_wishes()
    assert [one.number for one in wishes.blocks] == [None]
    assert wishes.shield is not None
    assert wishes.shield.number is None
    seen = await (await _represent(broker, parent, child)).read_wishes()
    assert (seen.blocks, seen.shield) == ((), None)
    part, _ = await resident.wish(lifts=number)
    assert part.state == "refused"


async def test_a_long_log_is_read_in_batches_and_says_where_it_stops(
    broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    bsn = next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    (resident,) = await log_in(broker, bsn)
    number = await resident.record(blocks=team_of(broker))
    home = await open_household(broker, bsn)
    for _ in range(5):
        await inquire(broker, home, bsn)
    whole = await resident.read_involvements()
    monkeypatch.setattr(told, "_BATCH", 2)
    assert [one.number for one in (await resident.read_wishes()).blocks] == [number]
    found = await resident.read_involvements()
    assert (found.now, found.is_whole) == (whole.now, True)
    with broker.broker.store.writing() as conn:  # as if all of it were long ago
        moved = update(_ENTRIES).values(at=now() - timedelta(days=1))
        conn.execute(moved.where(_ENTRIES.c.idx < number))
    assert [one.number for one in (await resident.read_wishes()).blocks] == [number]
    monkeypatch.setattr(told, "MOST_READ", 4)
    found = await resident.read_involvements()
    assert not found.is_whole
    # The pointer is there, though what is told of it was not read.
    assert [(one.number, one.kind) for one in found.now] == [(None, "debt_counselling")]
