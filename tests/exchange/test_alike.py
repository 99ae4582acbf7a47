"""*Nobody*, *unknown*, *not for you*, *objected*, *shielded*, *special*, *guessed*: all alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, Self

import psycopg
import pytest
from sqlalchemy import inspect

from broker.consent.models import Shield
from broker.policy.engine import Decisions
from broker.policy.evaluation import Evaluation
from datwat.protocol.acts import Contact, Objection, Professional, SpecialSituation, Wish
from datwat.protocol.answers import InquiryPart, Pointer, ReleasePart
from datwat.protocol.entry import parse_entry
from datwat.protocol.messages import Answer
from datwat.protocol.values import encode_bytes
from tests.exchange.source import free_port
from tests.exchange.world import (
    MOTIVATION,
    Household,
    Running,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    draw,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
    release_part,
    say,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = bsns()
MOMENT = now()
# Nobody listens there: a request is relayed to a source with an address, later than it is kept.
GATEWAYS = {"debt-counselling": f"http://127.0.0.1:{free_port()}"}


@dataclass
class Cost:
    """What one question cost."""

    statements: list[str] = field(default_factory=list)
    weighed: int = 0
    entries: int = 0


@contextmanager
def counted(running: Running) -> Iterator[Cost]:
    cost = Cost()
    engine = running.broker.engine
    size = running.broker.log.size
    evaluate = engine.evaluate

    async def count(evaluations: Sequence[Evaluation]) -> Decisions:
        cost.weighed += len(evaluations)
        return await evaluate(evaluations)

    def note(statement: str) -> None:
        # How many inner nodes an entry completes follows from its index, whoever it is about.
        if "log_nodes" not in statement:
            cost.statements.append(" ".join(statement.split()[:3]))

    # What the driver itself ran, on the connection that reads and on those that write.
    store = running.broker.store
    for at_once in {False, store.is_in_process}:
        with store.writing(at_once=at_once):
            pass  # now it is held
    writers = list(store._held.values())  # noqa: SLF001 - all there are
    with running.broker.rooms.reading() as conn:
        drivers = [one.connection.driver_connection for one in (conn, *writers)]
    engine.evaluate = count  # type: ignore[method-assign] # counts, and passes on
    try:
        with ExitStack() as stack:
            for driver in drivers:
                stack.enter_context(traced(driver, note))
            yield cost
    finally:
        engine.evaluate = evaluate  # type: ignore[method-assign]
    cost.entries = running.broker.log.size - size


@contextmanager
def traced(driver: Any, note: Callable[[str], None]) -> Iterator[None]:  # noqa: ANN401 - of either
    """Have each statement told that a driver's connection runs, once for each of its rows."""
    if isinstance(driver, sqlite3.Connection):
        driver.set_trace_callback(note)
        yield
        driver.set_trace_callback(None)
        return

    class Noting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *given: Any, **more: Any) -> Self:  # noqa: ANN401 - as it is
            note(str(query))
            return super().execute(query, *given, **more)

        def executemany(self, query: Any, params_seq: Any, **more: Any) -> None:  # noqa: ANN401
            rows = list(params_seq)
            for _ in rows:
                note(str(query))
            super().executemany(query, rows, **more)

    before, driver.cursor_factory = driver.cursor_factory, Noting
    yield
    driver.cursor_factory = before


def blank_ids(part: InquiryPart | ReleasePart) -> str:
    """Return a part without what must differ: references and moments."""
    changes: dict[str, object] = {"handle": None}
    if isinstance(part, InquiryPart):
        changes["scope"] = part.scope.model_copy(update={"as_of": MOMENT})
    return str(part.model_copy(update=changes))


async def _nothing(_running: Running, _bsn: str) -> None:
    return


async def _not_for_you(running: Running, bsn: str) -> None:
    part = await register(running, "shelter", bsn, "shelter_stay")
    assert part.state == "registered", part


async def _shielded_away(running: Running, bsn: str) -> None:
    part = await register(running, "shelter", bsn, "shelter_stay", shielded=True)
    assert part.state == "registered"


async def _special_situation(running: Running, bsn: str) -> None:
    """Another partner has an occasion that nobody may know of, and a pointer to it."""
    situation = SpecialSituation(
        ground="child_safety",
        decider=Professional(id="v.dijk", role="vertrouwensarts"),
        until_at=now() + timedelta(days=10),
        opening="by_person",
        reason="Niemand mag dit weten.",
    )
    inform_by = now() + timedelta(days=30)
    await open_household(
        running,
        bsn,
        function="veilig-thuis",
        kind="report",
        inform_by=inform_by,
        special_situation=situation,
    )
    part = await register(running, "veilig-thuis", bsn, "domestic_violence_report")
    assert part.state == "registered"


async def _objected(running: Running, bsn: str) -> None:
    await register(running, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(running, bsn)
    objection = Objection(purpose="coordinate_family_help", reason="Nee.", made_at=now())
    answer = await running.ask(
        "social-team",
        "record_objection",
        [by_handle(home.handles[bsn], objection=objection)],
        say(occasion=home.occasion),
    )
    assert act_part(answer).state == "recorded"


async def _blocked(running: Running, bsn: str) -> None:
    await register(running, "debt-counselling", bsn, "debt_counselling")
    answer = await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")])
    handle = act_part(answer).handle
    assert handle is not None
    wish = Wish(blocks=running.world.members["social-team"].id)
    answer = await running.ask("portal", "wish", [by_handle(handle, wish=wish)])
    assert act_part(answer).state == "recorded"


PREPARATIONS: dict[str, Callable[[Running, str], Awaitable[None]]] = {
    "nobody": _nothing,
    "not for you": _not_for_you,
    "shielded away": _shielded_away,
    "special situation": _special_situation,
    "objected": _objected,
    "not to look": _blocked,
}


class Measured(NamedTuple):
    """What is seen of an inquiry, and what it cost."""

    part_length: int
    core_length: int
    told: str
    statements: list[str]
    weighed: int
    entries: int


async def _measure(
    running: Running, prepare: Callable[[Running, str], Awaitable[None]]
) -> tuple[Measured, tuple[Pointer, ...]]:
    """Return what an inquiry looks like about somebody who was prepared, and what it shows."""
    bsn = next(NUMBERS)
    await prepare(running, bsn)
    home = await open_household(running, bsn)
    sent = running.world.build(
        "social-team",
        "inquire",
        [by_handle(home.handles[bsn])],
        say(occasion=home.occasion),
        purpose=running.purpose("coordinate_family_help"),
        rung="dat",
    )
    with counted(running) as cost:
        raw = await running.send(sent)
    part = inquiry_part(running.verify(raw, sent))
    person = Answer.model_validate_json(raw).answers[0]
    measured = Measured(
        len(person.part),
        len(person.core),
        blank_ids(part),
        cost.statements,
        cost.weighed,
        cost.entries,
    )
    return measured, part.pointers


async def test_inquiries_that_find_nothing_are_alike(broker: Running) -> None:
    seen: dict[str, Measured] = {}
    for name, prepare in PREPARATIONS.items():
        seen[name], pointers = await _measure(broker, prepare)
        assert pointers == ()
    first = seen.pop("nobody")
    for name, found in seen.items():
        assert found == first, name


async def _inquire_counted(running: Running, bsn: str) -> tuple[Pointer, Cost]:
    home = await open_household(running, bsn)
    with counted(running) as cost:
        answer = await inquire(running, home, bsn)
    (pointer,) = inquiry_part(answer).pointers
    return pointer, cost


async def test_a_shielded_involvement_is_capped_whoever_shielded_it_and_costs_the_same(
    broker: Running,
) -> None:
    """Plainly it is seen as dat; shielded, its category and the central number are left."""
    plain, by_source, by_resident = next(NUMBERS), next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", plain, "debt_counselling")
    await register(broker, "debt-counselling", by_source, "debt_counselling", shielded=True)
    part = await register(broker, "debt-counselling", by_resident, "debt_counselling")
    assert part.handle is not None
    _shield(broker, part.handle)
    seen, costs = zip(
        *[await _inquire_counted(broker, bsn) for bsn in (plain, by_source, by_resident)],
        strict=True,
    )
    assert (seen[0].rung, seen[0].kind, seen[0].contact.name) == (
        "dat",
        "debt_counselling",
        "A. Bakker",
    )
    for pointer in seen[1:]:
        assert (pointer.rung, pointer.domain) == ("category", "debt")
        assert pointer.contact == Contact(role="central", phone="020 123 4567")
        hidden = (pointer.source, pointer.source_name, pointer.kind, pointer.since_at)
        assert hidden == (None, None, None, None)
    blank = [pointer.model_copy(update={"involvement": bytes(16)}) for pointer in seen]
    assert blank[1] == blank[2] != blank[0]
    assert costs[0] == costs[1] == costs[2]


def _shield(running: Running, handle: bytes) -> None:
    """Have a resident shield themselves."""
    registers = running.broker.rooms.registers
    debts = running.world.members["debt-counselling"].id
    with running.broker.rooms.reading() as conn:
        person = registers.references.find_handle(conn, debts, handle, now())
    assert person is not None
    with running.broker.store.writing() as conn:
        shield = Shield(own_at=now(), open_at=None, until_at=now() + timedelta(days=1))
        registers.consents.shield(conn, person.target, shield)


@pytest.mark.parametrize("row_key_rotates", [False, True])
async def test_asking_about_an_unknown_person_costs_what_a_known_one_costs(
    broker: Running, *, row_key_rotates: bool
) -> None:
    """By ticket, so that the broker has never heard of the one, and knows the other well."""
    known, unknown = next(NUMBERS), next(NUMBERS)
    if row_key_rotates:
        assert broker.broker.secrets.row_file.start(now()).leaving is not None
    await register(broker, "debt-counselling", known, "debt_counselling")
    home = await open_household(broker, next(NUMBERS))
    costs = []
    for bsn in (known, unknown):
        sent = broker.world.build(
            "social-team",
            "inquire",
            [by_bsn(bsn, identity="document")],
            say(occasion=home.occasion),
            purpose=broker.purpose("coordinate_family_help"),
            rung="dat",
        )
        with counted(broker) as cost:
            answer = broker.verify(await broker.send(sent), sent)
        costs.append(
            (blank_ids(inquiry_part(answer)), len(cost.statements), cost.weighed, cost.entries)
        )
    assert costs[0] == costs[1]


async def test_one_permitted_pointer_is_not_alike(broker: Running) -> None:
    """The control: the comparison above tells a difference in words, and there is none in size."""

    async def known(running: Running, bsn: str) -> None:
        await register(running, "debt-counselling", bsn, "debt_counselling")

    nobody, _ = await _measure(broker, _nothing)
    found, pointers = await _measure(broker, known)
    assert len(pointers) == 1
    assert found.told != nobody.told
    assert found.statements != nobody.statements
    for name in ("part_length", "core_length", "weighed", "entries"):
        assert getattr(found, name) == getattr(nobody, name), name


async def test_a_contact_request_that_is_relayed_costs_what_one_that_is_not_does(
    broker: Running,
) -> None:
    """The same answer, statements and rows, whether its source has the person or not."""
    known, nobody = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", known, "debt_counselling")
    home = await open_household(broker, known, nobody)
    seen = []
    for bsn in (known, nobody):
        sent = broker.world.build(
            "social-team",
            "request_contact",
            [by_handle(home.handles[bsn])],
            say(occasion=home.occasion, call_back=Contact(role="Regisseur", phone="020 111 2222")),
            purpose=broker.purpose("coordinate_family_help"),
            source=broker.world.members["debt-counselling"].id,
        )
        before = _count_rows(broker)
        with counted(broker) as cost:
            raw = await broker.send(sent)
        part = act_part(broker.verify(raw, sent))
        assert part.state == "sent"
        person = Answer.model_validate_json(raw).answers[0]
        grown = {name: rows - before[name] for name, rows in _count_rows(broker).items()}
        lengths = (len(person.part), len(person.core))
        seen.append((lengths, part.weighing, grown, cost.statements, cost.weighed, cost.entries))
    assert seen[0] == seen[1]
    assert seen[0][2]["contact_requests"] == 1
    with broker.broker.rooms.reading() as conn:
        relayed = conn.exec_driver_sql("SELECT relayed FROM contact_requests").scalars().all()
    assert sorted(relayed) == [0, 1]


def _count_rows(running: Running) -> dict[str, int]:
    """Return how many rows each table has, but for the tree, which grows with its size only."""
    names = inspect(running.broker.database).get_table_names()
    with running.broker.rooms.reading() as conn:
        return {
            name: conn.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar_one()
            for name in names
            if name != "log_nodes"
        }


async def _release(
    running: Running, home: Household, bsn: str, involvement: bytes | None
) -> tuple[Any, ...]:
    members = {"involvement": involvement} if involvement else {}
    sent = running.world.build(
        "social-team",
        "release",
        [by_handle(home.handles[bsn], **members)],
        say(occasion=home.occasion, motivation=MOTIVATION),
        purpose=running.purpose("coordinate_family_help"),
        source=running.world.members["debt-counselling"].id,
        product="schuldregeling",
        fields=["regeling.status", "regeling.soort"],
        reply_key=encode_bytes(draw(32)),
    )
    with counted(running) as cost:
        raw = await running.send(sent)
    answer = running.verify(raw, sent)
    part = release_part(answer)
    assert part.fields == ()
    assert not part.weighing.permitted
    person = Answer.model_validate_json(raw).answers[0]
    return len(person.part), blank_ids(part), len(cost.statements), cost.weighed, cost.entries


async def test_releases_that_end_at_the_broker_are_alike(broker: Running) -> None:
    """Without an involvement, with a guessed one, and with another person's: one refusal."""
    bsn, other = next(NUMBERS), next(NUMBERS)
    for person in (bsn, other):
        await register(broker, "debt-counselling", person, "debt_counselling")
    home = await open_household(broker, bsn, other)
    theirs = inquiry_part(await inquire(broker, home, other)).pointers[0].involvement
    guessed = await _release(broker, home, bsn, draw())
    strangers = await _release(broker, home, bsn, theirs)
    missing = await _release(broker, home, bsn, None)
    assert guessed[:2] == strangers[:2] == missing[:2]
    assert guessed[2:] == strangers[2:]
    assert guessed[3:] == missing[3:] == (1, 1)
    assert "person_facts" in guessed[1]


async def test_a_release_of_what_is_shielded_is_refused_like_a_guess(broker: Running) -> None:
    """It was shown, as a category: what the source has is not for this requester."""
    bsn, other = next(NUMBERS), next(NUMBERS)
    await register(broker, "debt-counselling", bsn, "debt_counselling", shielded=True)
    await register(broker, "debt-counselling", other, "debt_counselling")
    home = await open_household(broker, bsn, other)
    answer = await inquire(broker, home, bsn, other)
    own, theirs = (inquiry_part(answer, number).pointers[0] for number in (0, 1))
    assert (own.rung, theirs.rung) == ("category", "dat")
    shielded = await _release(broker, home, bsn, own.involvement)
    strangers = await _release(broker, home, bsn, theirs.involvement)
    assert shielded == strangers
    assert shielded[1].count("person_facts") >= 1


async def test_the_one_entry_of_a_question_is_of_the_one_public_type(broker: Running) -> None:
    bsn = next(NUMBERS)
    home = await open_household(broker, bsn)
    await inquire(broker, home, bsn)
    store = broker.broker.store
    with broker.broker.rooms.reading() as conn:
        row = store.find_entry(conn, broker.broker.log.size - 1)
    assert row is not None
    assert parse_entry(row.entry).type == 1
    assert timedelta(0) <= now() - row.at < timedelta(minutes=1)
