"""A backup in which keys do not open: all else is put back, and what could not be read is said."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, select, update

from broker.adapters.kek_file import KekError
from broker.adapters.log_tables import DataSubject, LogEntry, LogHead, table_of
from broker.adapters.secrets import load_secrets
from broker.audit.records import Job, Statement
from broker.commands.card import build_card
from broker.new_generation import Wanted as WantedGeneration
from broker.new_generation import begin_generation
from broker.restoring import Restoration, Wanted
from datwat.cli import run
from datwat.party import clock
from datwat.protocol.values import encode_bytes
from tests.exchange.restoring import Copies, opened, read_own
from tests.exchange.world import (
    ON_EACH_DATABASE,
    Running,
    bsns,
    inquire,
    inquiry_part,
    now,
    open_household,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_EACH_DATABASE]
NUMBERS = bsns()
_SUBJECTS, _HEAD, _ENTRIES = table_of(DataSubject), table_of(LogHead), table_of(LogEntry)
_BROKEN = bytes((0, 1)) + bytes(58)


@asynccontextmanager
async def damaged(running: Running, subject_id: bytes | None) -> AsyncIterator[None]:
    """Let the chain key of a person, or else the auditor's, be damaged for a while."""
    place: ColumnElement[bool] = _HEAD.c.id.is_not(None)
    column = _HEAD.c.delayed_chain_key_sealed
    if subject_id is not None:
        column, place = _SUBJECTS.c.chain_key_sealed, _SUBJECTS.c.subject_id == subject_id
    database = running.broker.database
    with database.begin() as conn:
        whole = conn.execute(select(column).where(place)).scalar_one()
        conn.execute(update(column.table).where(place).values({column.name: _BROKEN}))
    yield
    with database.begin() as conn:
        conn.execute(update(column.table).where(place).values({column.name: whole}))


def read_newest_subject(running: Running) -> bytes:
    query = select(_ENTRIES.c.subject_id).order_by(_ENTRIES.c.idx.desc()).limit(1)
    with running.broker.store.reading() as conn:
        return bytes(conn.execute(query).scalar_one())


async def test_one_damaged_chain_key_costs_its_own_roll_only(copies: Copies) -> None:
    async with opened(copies) as running:
        other = await open_household(running, next(NUMBERS))
        home = await open_household(running, next(NUMBERS))
        subject_id = read_newest_subject(running)
        async with damaged(running, subject_id):
            backup = copies.back_up(running)
        for one in (home, home, other):
            inquiry_part(await inquire(running, one))
        size, mirror = running.broker.log.size, copies.mirror(running)
    copies.lose_database()
    code, result, said = await asyncio.to_thread(_restore, copies, str(backup), str(mirror))
    assert code == 1
    found = ("log_size", "entries_read_back", "entries_of_unknown", "chain_keys_damaged", "whole")
    assert [result[name] for name in found] == [size, 3, 2, 1, False]
    assert result["auditors_chain_key_damaged"] is False
    assert "The chain keys of 1 person(s) are damaged" in said
    assert "of the 2 entries of nobody known some may be theirs" in said
    for name in (subject_id.hex(), encode_bytes(subject_id)):
        assert name not in said + json.dumps(result)
    async with opened(copies) as running:
        await running.broker.housekeeper.run_round()
        told = [one for one in read_own(running) if one.event == "lost"]
        assert [one.detail.count for one in told] == [1]
        again = await open_household(running, next(NUMBERS))
        assert not inquiry_part(await inquire(running, again)).pointers


def _restore(copies: Copies, backup: str, mirror: str) -> tuple[int, dict[str, Any], str]:
    """Restore by the command; return its exit code, what it found, and what it says of it."""
    printed, wrong = io.StringIO(), io.StringIO()
    words = ["--home", str(copies.world.home), "--key", str(copies.key_file), "--mirror", mirror]
    with redirect_stdout(printed), redirect_stderr(wrong):
        code = run(["restore", *words, backup, "--json"])
    return code, json.loads(printed.getvalue()), wrong.getvalue()


async def test_without_the_auditors_chain_key_a_new_generation_goes_on(copies: Copies) -> None:
    async with opened(copies) as running:
        # The first place is the next generation's statement: a served broker has its own there too.
        await running.broker.log.append(Job(lambda _: [Statement(b"trust list", now())]))
        await open_household(running, next(NUMBERS))
        async with damaged(running, None):
            backup = copies.back_up(running)
        told = [one.event for one in read_own(running)]
        size = running.broker.log.size
    copies.lose_database()
    result = Restoration(copies.settings, Wanted(backup, copies.key_file, None), clock.now()).run()
    assert (result["whole"], result["auditors_chain_key_damaged"]) == (False, True)
    assert result["chain_keys_damaged"] == 0
    with pytest.raises(KekError):
        async with opened(copies):
            pytest.fail("it started")
    at = now() + timedelta(seconds=2)  # the ratchet takes nothing else of the restore's moment
    found = await asyncio.to_thread(
        begin_generation, copies.settings, WantedGeneration("a damaged key"), at
    )
    assert (found["entries_kept"], found["entries_lost"]) == (size - 1, 0)
    copies.world.card = build_card(copies.settings, load_secrets(copies.world.home))
    copies.world.write_list(2)
    async with opened(copies) as running:
        assert [one.event for one in read_own(running)] == told
