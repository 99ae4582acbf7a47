"""Every entry is listed, whatever `rid` a partner chose: none stands in front of another."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from broker.audit.payloads import Organisation, Record
from broker.audit.ports import EntryRow
from broker.transparency.cards import Line
from broker.transparency.pages import LOOK_AHEAD, MOST_SHOWN, CardPage
from connectors.client.outgoing import draw_rid
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.messages import OutcomeCore
from tests.exchange.world import (
    Running,
    World,
    act_part,
    bsns,
    by_bsn,
    by_handle,
    conversation,
    now,
    open_household,
    open_world,
    register,
    registers,
    say,
)
from tests.transparency.test_access_log import Resident, forget_spent, log_in

NUMBERS = bsns()
RID = b"r" * 16
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def build_line(index: int, event: str, core: bytes) -> Line:
    record = Record.model_validate(
        {
            "v": 1,
            "event": event,
            "at": AT,
            "rid": RID,
            "requester": Organisation(id="00000099000000001000:social-team", name="Team"),
            "notice": "now",
        }
    )
    row = EntryRow(
        index=index,
        entry=b"",
        subject_id=None,
        audience="open",
        quarter=None,
        number=None,
        sealed=None,
        input_sealed=None,
        document=None,
        at=AT,
        retention_until=None,
    )
    return Line(row, b"", record, record, core, b"", b"")


def build_outcome_core(core: bytes) -> bytes:
    outcome = OutcomeCore(
        v=1,
        type="outcome",
        request_hash=bytes(32),
        core_hash=hashlib.sha256(core).digest(),
        answer_hash=bytes(32),
        envelope_hash=None,
        failure="source_unreachable",
        notice="now",
    )
    return encode_canonical(outcome.model_dump(mode="json"))


def build_chain(kinds: list[tuple[bool, int]]) -> list[Line]:
    """Return a chain under one rid, oldest first: acts, and outcomes of an earlier question."""
    chain: list[Line] = []
    asked: list[bytes] = []
    for index, (is_outcome, which) in enumerate(kinds):
        if is_outcome and asked:
            core = build_outcome_core(asked[which % len(asked)])
            chain.append(build_line(index, "outcome", core))
        else:
            asked.append(b"question %d" % index)
            chain.append(build_line(index, "release", asked[-1]))
    return chain


def read_all(chain: list[Line], limit: int) -> list[list[int]]:
    """Return the indexes on each card, over all pages."""
    found: list[list[int]] = []
    before, skipped = len(chain), frozenset[int]()
    while True:
        page = CardPage(limit, skipped)
        page.fill(iter(chain[:before][::-1]))
        assert len(page.cards) <= limit
        assert len(page.shown) <= MOST_SHOWN
        found += [[line.row.index for line in card] for card in page.cards]
        if page.before is None:
            return found
        assert page.before <= before
        before, skipped = page.before, frozenset(page.shown)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60),
    st.integers(min_value=1, max_value=7),
)
def test_over_the_pages_each_entry_is_shown_once(kinds: list[tuple[bool, int]], limit: int) -> None:
    chain = build_chain(kinds)
    shown = Counter(index for card in read_all(chain, limit) for index in card)
    assert shown == Counter(range(len(chain)))


def test_an_outcome_stands_with_its_own_question_only() -> None:
    questions = [b"one", b"two", b"three"]
    chain = [build_line(index, "release", core) for index, core in enumerate(questions)]
    chain.append(build_line(3, "outcome", build_outcome_core(b"two")))
    assert read_all(chain, 25) == [[3, 1], [2], [0]]


def test_an_outcome_without_its_question_ends_no_log() -> None:
    """Its question is gone: the rest, however long, is still listed."""
    size = 2 * LOOK_AHEAD + 50
    chain = [build_line(index, "release", b"%d" % index) for index in range(size)]
    chain.append(build_line(size, "outcome", build_outcome_core(b"gone")))
    for limit in (1, 100):
        found = [index for card in read_all(chain, limit) for index in card]
        assert found == list(range(size, -1, -1))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        yield await open_world(World(tmp_path_factory.mktemp("world")), stack)


async def read_pages(resident: Resident, limit: int) -> list[tuple[str, str, int]]:
    """Return event, requester and number of entries of each card, over all pages."""
    found: list[tuple[str, str, int]] = []
    cursor: str | None = None
    while True:
        page = await resident.read(limit=limit, before=cursor)
        found += [(card.event, card.requester_name, len(card.proofs)) for card in page.cards]
        cursor = page.next
        if cursor is None:
            return found


@pytest.mark.asyncio(loop_scope="module")
async def test_entries_under_one_rid_are_all_listed_whoever_wrote_them(broker: Running) -> None:
    bsn, rid = next(NUMBERS), draw_rid()
    await register(broker, "debt-counselling", bsn, "debt_counselling")
    home = await open_household(broker, bsn)
    person = by_handle(home.handles[bsn])
    about = [by_handle(home.handles[bsn], conversation=conversation())]
    await broker.ask(
        "social-team", "record_conversation", about, say(occasion=home.occasion), rid_of=rid
    )
    for _ in range(10):
        await forget_spent(broker)
        await broker.ask(
            "social-team",
            "inquire",
            [person],
            say(occasion=home.occasion),
            rid_of=rid,
            purpose=broker.purpose("coordinate_family_help"),
            rung="dat",
        )
    await forget_spent(broker)
    other = by_bsn(bsn, registers=registers("income_support"), identity="document", told_at=now())
    answer = await broker.ask("income", "register", [other], say(), rid_of=rid)
    assert act_part(answer).state == "registered"
    (resident,) = await log_in(broker, bsn)
    team = "Organisatie social-team"
    for limit in (3, 25):
        assert await read_pages(resident, limit) == [
            ("register", "Organisatie income", 1),
            *[("inquire", team, 1)] * 10,
            ("record_conversation", team, 1),
            ("open_occasion", team, 1),
            ("register", "Organisatie debt-counselling", 1),
        ]
