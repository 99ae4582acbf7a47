"""Questions go on while the row key of a real broker is replaced: none fails, all find the same."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from broker.adapters.backup_file import BackupError
from broker.exchange.row_turning import OVERLAP, SEEN_AFTER
from tests.exchange.restoring import Copies, opened
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    act_part,
    bsns,
    by_bsn,
    inquire,
    inquiry_part,
    now,
    open_household,
    register,
)
from tests.keys.ring_world import keep_all, read_numbers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
ENOUGH = 40


async def test_nobody_is_lost_and_no_question_fails(copies: Copies) -> None:
    people = [next(NUMBERS) for _ in range(4)]
    async with opened(copies) as running:
        for bsn in people:
            await register(running, "debt-counselling", bsn, "debt_counselling")
        home = await open_household(running, *people)
        first = copies.back_up(running, "before.age")
        asked = 0

        async def ask() -> None:
            nonlocal asked
            answer = await inquire(running, home)
            for number in range(len(people)):
                found = inquiry_part(answer, number).pointers
                assert [one.kind for one in found] == ["debt_counselling"], asked
            asked += 1

        row_file, rows = running.broker.secrets.row_file, running.broker.ends.rows
        assert rows is not None
        await ask()
        began = now()
        row_file.start(began)
        await ask()
        for moment in (began + SEEN_AFTER, began + 2 * SEEN_AFTER, began + 2 * OVERLAP):
            while await rows.keep(moment, 8):
                if asked > ENOUGH:
                    continue
                # Somebody new, and somebody known by number again, beside the questions.
                new, known = next(NUMBERS), people[asked % len(people)]
                await asyncio.gather(
                    ask(),
                    register(running, "debt-counselling", new, "debt_counselling"),
                    open_session(running, known),
                )
            await ask()
        assert list(row_file.keys.state.keys) == [2]
        assert asked > 10
        with running.broker.store.reading() as conn:
            numbers = read_numbers(conn, row_file.keys)
        assert not any(closed for _, closed in numbers.values()), numbers
        after = copies.back_up(running, "after.age")
        mirror = copies.mirror(running)
    copies.lose_database()
    with pytest.raises(BackupError, match="row key of this home"):
        copies.restore(first, mirror)
    copies.restore(after, mirror)
    async with opened(copies) as running:
        answer = await inquire(running, home)
        assert inquiry_part(answer).pointers


async def open_session(running: Running, bsn: str) -> None:
    part = act_part(await running.ask("portal", "open_session", [by_bsn(bsn, identity="document")]))
    assert part.handle is not None


async def test_the_same_message_gets_the_same_answer_throughout(copies: Copies) -> None:
    async with opened(copies) as running:
        bsn = next(NUMBERS)
        row_file, rows = running.broker.secrets.row_file, running.broker.ends.rows
        assert rows is not None
        message = running.world.build("portal", "open_session", [by_bsn(bsn, identity="document")])
        before = await running.send(message)
        began = now()
        row_file.start(began)
        await keep_all(rows, began + SEEN_AFTER)
        assert await running.send(message) == before
        await keep_all(rows, began + 2 * SEEN_AFTER)
        assert await running.send(message) == before
        await keep_all(rows, began + 2 * OVERLAP + timedelta(days=8))
        assert await running.send(message) == before
