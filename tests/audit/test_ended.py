"""What a job ends is held by the ratchet before it is committed, and nothing else is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from broker.audit.ended import EndingLog, note_ended, read_ended
from broker.audit.records import Appendable, Job, Statement
from datwat.party.ratchet import Ratchet, RatchetBrokenError
from tests.audit.conftest import AT, LogWorld

_ID = bytes(range(16))


@pytest.fixture
def world(engine: Engine, folder: Path) -> Iterator[LogWorld]:
    made = LogWorld(engine, folder)
    made.start()
    yield made
    made.stop()


def _build(world: LogWorld) -> EndingLog:
    return EndingLog(world.log, world.ratchet, world.kek)


def _end(_conn: Connection) -> list[Appendable]:
    note_ended("consent", _ID)
    note_ended("member", _ID, bytes(16))
    note_ended("objection", _ID, words=b"what it is about")
    return [Statement(b"document", AT)]


async def test_what_ended_is_held_when_the_caller_is_answered(world: LogWorld) -> None:
    await _build(world).append(Job(_end))
    assert [one.id for one in read_ended(world.ratchet, world.kek, "consent")] == [_ID.hex()]
    (member,) = read_ended(world.ratchet, world.kek, "member")
    assert member.id == f"{_ID.hex()} {bytes(16).hex()}"
    (objection,) = read_ended(world.ratchet, world.kek, "objection")
    assert (objection.id, objection.words) == (_ID.hex(), b"what it is about")
    raw = (world.folder / "ratchet").read_bytes()
    assert b"what it is about" not in raw


async def test_a_caller_that_goes_away_leaves_nothing_that_can_come_back(world: LogWorld) -> None:
    begun, held = threading.Event(), threading.Event()

    def work(conn: Connection) -> list[Appendable]:
        begun.set()
        held.wait(10)
        return _end(conn)

    asking = asyncio.create_task(_build(world).append(Job(work)))
    await asyncio.to_thread(begun.wait, 10)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    held.set()
    await world.log.append(Job(lambda _: [Statement(b"after", AT)]))
    assert world.log.size == 2, "what was begun was committed"
    assert [one.id for one in read_ended(world.ratchet, world.kek, "consent")] == [_ID.hex()]


async def test_words_are_over_with_the_generation_of_the_kek(world: LogWorld) -> None:
    await _build(world).append(Job(_end))
    world.kek.start_generation(AT)
    world.kek.destroy_generation(1)
    (objection,) = read_ended(world.ratchet, world.kek, "objection")
    assert (objection.id, objection.words) == (_ID.hex(), None)


async def test_a_job_that_failed_ended_nothing(world: LogWorld) -> None:
    def fail(conn: Connection) -> list[Appendable]:
        _end(conn)
        raise LookupError

    with pytest.raises(LookupError):
        await _build(world).append(Job(fail))
    assert world.ratchet.records("consent") == ()


async def test_a_job_that_ends_nothing_writes_nothing(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ratchet, "record_all", None)
    await _build(world).append(Job(lambda _: [Statement(b"document", AT)]))
    note_ended("consent", _ID)  # outside a job: nobody listens


async def test_what_the_ratchet_cannot_hold_is_not_answered(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_it(*_: object) -> None:
        raise RatchetBrokenError

    monkeypatch.setattr(Ratchet, "record_all", break_it)
    with pytest.raises(RatchetBrokenError):
        await _build(world).append(Job(_end))
    assert world.log.size == 0, "it is not done either"
