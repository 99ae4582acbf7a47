"""A key store out of reach stops what needs it; nothing is destroyed that comes back into reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
from pyrage import x25519
from sqlalchemy import Engine

from broker.adapters.backup import make_backup
from broker.adapters.backup_file import FileKey
from broker.adapters.ends_store import SqlEnds
from broker.audit.ended import EndingLog, note_ended, read_ended
from broker.audit.key_keeping import KeyKeeper, KeyLives
from broker.audit.ports import KekPort, KeyStoreError
from broker.audit.records import Appendable, Job, Statement
from broker.audit.sealing import Sealing
from tests.audit.conftest import AT
from tests.audit.kek_contract import RemoteKekContract
from tests.audit.kek_service import KekService, ServiceKek, served
from tests.audit.test_ends import EndsWorld

_LIVES = KeyLives(seals=timedelta(days=7), opens=timedelta(days=30))
_SETTLED = timedelta(minutes=10)
_SOON, _LATER = AT + timedelta(days=1), AT + timedelta(days=900)
_OPENING = frozenset({"unseal"})


class TestServiceKek(RemoteKekContract):
    @pytest.fixture
    def service(self, tmp_path: Path) -> Iterator[tuple[KekService, str]]:
        with served(tmp_path / "kek.json") as found:
            yield found

    @pytest.fixture
    def kek(self, service: tuple[KekService, str]) -> KekPort:
        return ServiceKek(service[1])

    @pytest.fixture
    def reopen(self, service: tuple[KekService, str]) -> Callable[[], KekPort]:
        return lambda: ServiceKek(service[1])

    @pytest.fixture
    def cut_off(
        self, service: tuple[KekService, str]
    ) -> Callable[[], AbstractContextManager[None]]:
        return service[0].cut_off


class RemoteWorld(EndsWorld):
    """A log whose outermost key lies in a service."""

    service: KekService

    def move_key(self, service: KekService, url: str) -> None:
        """Use the key file that the log was made with through a service."""
        self.service = service
        self.kek = ServiceKek(url)  # type: ignore[assignment] # another adapter of the same port
        self.sealing = Sealing(self.kek, self.store)

    async def fill(self) -> bytes:
        """Write for one person what ends soon and what stays; return whose it is."""
        keys = self.sealing.mint_subject(AT)
        await self.write(keys, _payload("due"), _SOON)
        await self.write(self.fetch_keys(keys.subject_id), _payload("stays"), _LATER)
        return keys.subject_id


@pytest.fixture
def world(engine: Engine, folder: Path) -> Iterator[RemoteWorld]:
    made = RemoteWorld(engine, folder)
    with served(folder / "kek") as (service, url):
        made.move_key(service, url)
        made.start()
        yield made
        made.stop()


def _payload(text: str) -> bytes:
    return orjson.dumps({"event": "inquire", "text": text})


async def test_an_erasure_waits_for_the_key_store_and_is_done_then(world: RemoteWorld) -> None:
    ends, subject_id = world.build_ends(), await world.fill()
    keys, contents = world.list_key_rows(), world.read(subject_id)
    with world.service.cut_off(_OPENING), pytest.raises(KeyStoreError):
        await ends.erase_due(_SOON, 100)
    # One answer that stays out, and all others come: what stays would be given up for a new key.
    world.service.hiccups = 1
    with pytest.raises(KeyStoreError):
        await ends.erase_due(_SOON, 100)
    assert world.service.hiccups == 0
    assert world.list_key_rows() == keys
    assert world.read(subject_id) == contents
    assert (await ends.erase_due(_SOON, 100)).contents == 1
    assert _payload("stays") in world.read(subject_id).values()
    assert _payload("due") not in world.read(subject_id).values()
    assert world.list_key_rows() != keys


def _build_keeper(world: RemoteWorld) -> KeyKeeper:
    return KeyKeeper(world.store, SqlEnds(), world.kek, world.log, _LIVES)


async def _keep(keeper: KeyKeeper, now: datetime) -> None:
    for _ in range(100):
        if not await keeper.keep(now, 4):
            return
    pytest.fail("it does not end")


async def test_no_generation_is_destroyed_over_an_outage(world: RemoteWorld) -> None:
    subject_id, keeper = await world.fill(), _build_keeper(world)
    over = world.kek.list_generations()[0].started_at + _LIVES.opens
    await keeper.keep(over, 4)
    now = over + _SETTLED
    # First the auditor's key, with which a pass begins; then those of quarters, which end it.
    for _ in range(2):
        with world.service.cut_off(_OPENING), pytest.raises(KeyStoreError):
            await keeper.keep(now, 4)
        assert [one.number for one in world.kek.list_generations()] == [1, 2]
        await keeper.keep(now, 4)
    await _keep(keeper, now)
    assert [one.number for one in world.kek.list_generations()] == [2]
    # As another process finds it: no key was left under the generation that is gone.
    sealing = Sealing(world.kek, world.store)
    assert len(sealing.open_delayed_chain_key()) == 32
    with world.store.reading() as conn:
        rows = world.store.fetch_entries_of(conn, subject_id, ["open"], limit=9, before=None)
        found = sealing.open_contents(conn, subject_id, rows)
    assert [one and one.payload for one in found] == [_payload("stays"), _payload("due")]


async def test_an_objection_is_not_read_as_over_while_nobody_can_say(world: RemoteWorld) -> None:
    def work(_conn: object) -> list[Appendable]:
        note_ended("objection", bytes(16), words=b"what it is about")
        return [Statement(b"document", AT)]

    await EndingLog(world.log, world.ratchet, world.kek).append(Job(work))
    with world.service.cut_off(_OPENING), pytest.raises(KeyStoreError):
        read_ended(world.ratchet, world.kek, "objection")
    (found,) = read_ended(world.ratchet, world.kek, "objection")
    assert found.words == b"what it is about"


async def test_a_backup_is_not_called_worthless_while_nobody_can_say(
    world: RemoteWorld, engine: Engine, tmp_path: Path
) -> None:
    key = FileKey.draw()
    sealed = key.seal(world.kek)
    with world.service.cut_off(_OPENING), pytest.raises(KeyStoreError):
        FileKey.unseal(sealed, world.kek)
    assert str(FileKey.unseal(sealed, world.kek).identity) == str(key.identity)
    with world.service.cut_off(frozenset({"seal"})), pytest.raises(KeyStoreError):
        await asyncio.to_thread(
            make_backup,
            engine,
            tmp_path / "a.age",
            recipient=str(x25519.Identity.generate().to_public()),
            kek=world.kek,
            row_key=bytes(32),
            now=AT,
        )
    assert _list_files(tmp_path) == []


def _list_files(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("a.age*")]
