"""Witnesses asked over real HTTP: what counts, what is shown, who holds up whom, what is seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from broker.adapters.publication_store import SqlPublication
from broker.adapters.witnesses import HttpWitnesses
from broker.audit.cosigning import Cosigning
from broker.audit.proofs import Proofs, SignedHead
from broker.audit.publication import Publication
from broker.audit.records import LogBehindError, LogForkedError
from datwat.party import clock
from datwat.party.http_out import HttpOut
from datwat.party.ratchet_errors import RatchetAwayError
from datwat.protocol.checkpoint import (
    CheckpointSigner,
    build_cosignature,
    verify_cosignatures,
)
from datwat.protocol.cosigning import add_lines
from datwat.protocol.merkle import derive_root
from datwat.protocol.notes import parse_note
from datwat.protocol.trust import LogEntry, Witness
from tests.audit.conftest import ORIGIN, LogWorld
from tests.audit.test_tag_roots import write
from tests.audit.witnesses import TestWitness
from tests.party.web import serving

LIARS = (
    *("broken", "endless", "ahead", "never content"),
    *("of another time", "forging", "of another log"),
)


class Desk:
    """A log, its witnesses, and what a broker does with them."""

    def __init__(self, world: LogWorld) -> None:
        self.world = world
        self.log_entry = LogEntry(origin=ORIGIN, vkeys=(world.checkpoints.vkey,))
        self.witnesses: dict[str, TestWitness] = {}
        self.listed: tuple[Witness, ...] = ()
        self.threshold = 1
        self.alarms: list[BaseException] = []
        self.covered: list[int] = []
        self.stack = ExitStack()

    def add(self, name: str, mood: str = "honest") -> TestWitness:
        """Start a witness and list it."""
        made = TestWitness(f"witness.test/{name}", self.log_entry, mood)
        url = self.stack.enter_context(serving(made.build_app()))
        self.witnesses[name] = made
        self.listed += (made.list_at(url),)
        return made

    def add_absent(self, name: str) -> None:
        """List a witness at an address where nobody is."""
        self.listed += (
            TestWitness(f"witness.test/{name}", self.log_entry).list_at("http://127.0.0.1:9"),
        )

    def read_trust(self) -> Any:  # noqa: ANN401 - as much of a trust list as is read
        return SimpleNamespace(
            log=self.log_entry, witnesses=self.listed, witness_threshold=self.threshold
        )

    def open(self, http: HttpOut) -> Cosigning:
        """Return what a broker that starts now has."""
        world = self.world
        store = SqlPublication(world.engine)
        self.publication = Publication(
            world.log,
            store,
            world.ratchet,
            self.read_trust,
            self.covered.append,
        )
        self.publication.load()
        return Cosigning(
            world.log,
            Proofs(world.log),
            self.publication,
            HttpWitnesses(http),
            read_trust=self.read_trust,
            clock=clock.now,
            on_alarm=self.alarms.append,
        )

    def read_shown(self) -> tuple[int, int]:
        """Return the size of the checkpoint shown, and how many of the witnesses vouch for it."""
        shown = self.publication.read_shown()
        words = verify_cosignatures(
            parse_note(shown.note.encode()), [each.vkey for each in self.listed]
        )
        return shown.size, len(words)


@pytest.fixture
def desk(world: LogWorld) -> Iterator[Desk]:
    made = Desk(world)
    with made.stack:
        yield made


async def ask(cosigning: Cosigning) -> None:
    await asyncio.gather(*await cosigning.begin_round())


async def test_what_enough_witnesses_vouch_for_is_shown(desk: Desk) -> None:
    desk.threshold = 2
    desk.add("one"), desk.add("two"), desk.add("three")
    await write(desk.world, 3)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        assert desk.read_shown() == (3, 0)  # before the first: the newest signed
        await ask(cosigning)
        assert desk.read_shown() == (3, 3)
        await write(desk.world, 4)
        assert desk.read_shown() == (3, 3)
        await ask(cosigning)
        assert desk.read_shown() == (7, 3)
        desk.witnesses["three"].mood = "broken"
        await write(desk.world, 1)
        await ask(cosigning)
        assert desk.read_shown() == (8, 2)
        desk.witnesses["two"].mood = "broken"
        await write(desk.world, 1)
        await ask(cosigning)
        assert desk.read_shown() == (8, 2)
        assert desk.covered[-1] == 8
        assert desk.alarms == []
        failures = [each.failure for each in cosigning.asked.values()]
        assert failures == [None, "witness_refused", "witness_refused"]


async def test_an_idle_log_is_vouched_for_anew(desk: Desk) -> None:
    desk.add("one")
    await write(desk.world, 2)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        await ask(cosigning)
        first = desk.publication.read_cosigned()
        await asyncio.sleep(1.1)
        await ask(cosigning)
        second = desk.publication.read_cosigned()
        assert first is not None
        assert second is not None
        assert (second.size, second.count) == (first.size, 1)
        assert second.at > first.at


async def test_a_witness_that_saw_more_than_was_remembered_is_asked_from_there(desk: Desk) -> None:
    witness = desk.add("one")
    await write(desk.world, 5)
    async with HttpOut() as http:
        await ask(desk.open(http))
        await write(desk.world, 2)
        again = desk.open(http)  # a process that remembers nothing of the witness
        await ask(again)
    assert witness.vouched.size == 7
    assert witness.asked == 3


@pytest.mark.parametrize("mood", LIARS)
async def test_one_that_lies_costs_only_itself(desk: Desk, mood: str) -> None:
    desk.add("honest")
    desk.add("liar", mood)
    desk.add_absent("gone")
    await write(desk.world, 3)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        await ask(cosigning)
        assert desk.read_shown() == (3, 1)
        found = {name.split("/")[1]: each for name, each in cosigning.asked.items()}
    assert found["honest"].failure is None
    assert found["liar"].failure is not None
    assert found["gone"].failure == "peer_unreachable"
    assert desk.alarms == []
    assert desk.world.log.failure is None


async def test_one_that_is_slow_holds_up_nobody(desk: Desk) -> None:
    desk.add("honest")
    slow = desk.add("slow", "slow")
    await write(desk.world, 3)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        began = time.monotonic()
        tasks: list[asyncio.Task[None]] = []
        for size in (3, 4, 5):
            tasks = await cosigning.begin_round()
            await asyncio.wait(tasks, timeout=0.5)
            assert desk.read_shown() == (size, 1)
            await write(desk.world, 1)
        assert time.monotonic() - began < 5
        assert slow.asked == 1
        for task in tasks:
            task.cancel()


async def test_a_late_word_about_an_older_checkpoint_changes_nothing(desk: Desk) -> None:
    witness = desk.add("one")
    await write(desk.world, 3)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        older = Proofs(desk.world.log).read_head()
        await write(desk.world, 1)
        await ask(cosigning)
        text = parse_note(older.note.encode()).text
        line = build_cosignature(text, witness.name, witness.key, int(time.time()))
        desk.publication.offer(older, [line])
        assert desk.read_shown() == (4, 1)
        assert desk.covered == [4]


async def test_what_was_shown_is_shown_again_after_a_restart(desk: Desk) -> None:
    desk.add("one")
    await write(desk.world, 3)
    async with HttpOut() as http:
        await ask(desk.open(http))
        await write(desk.world, 2)
        desk.world.stop()
        desk.world.start()
        desk.open(http)
        assert desk.read_shown() == (3, 1)


def put_back(world: LogWorld) -> None:
    """Stop the log of three entries, and start it with a backup of before the last one."""
    world.stop()
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM log_entries WHERE idx = 2"))
        connection.execute(text("DELETE FROM log_cosigned"))
        root = derive_root([world.log.node(0, index) for index in range(2)])
        connection.execute(text("UPDATE log_head SET size = 2, root = :root"), {"root": root})
    (world.folder / "ratchet").unlink()  # and without the ratchet
    world.start()


async def test_a_database_behind_what_witnesses_saw_is_refused(desk: Desk) -> None:
    desk.add("one")
    await write(desk.world, 3)
    async with HttpOut() as http:
        await ask(desk.open(http))
        put_back(desk.world)
        cosigning = desk.open(http)
        with pytest.raises(LogBehindError):
            await cosigning.require_not_behind()
        # A witness that was absent at the start says so later: then the process stops.
        await ask(cosigning)
        assert [type(error) for error in desk.alarms] == [LogBehindError]


@pytest.mark.parametrize("since", [1, 2])
async def test_one_that_was_put_back_and_grew_past_what_witnesses_saw_is_stopped(
    desk: Desk, since: int
) -> None:
    """The witness was absent at the start; it is asked again when the log is as large, or larger.

    Then it states no larger size: it refuses what does not lead on from what it saw.
    """
    witness = desk.add("one")
    await write(desk.world, 3)
    async with HttpOut() as http:
        await ask(desk.open(http))
        put_back(desk.world)
        witness.shown, shown = None, witness.shown
        cosigning = desk.open(http)
        await cosigning.require_not_behind()
        await write(desk.world, since)
        witness.shown = shown
        await ask(cosigning)
        assert [type(error) for error in desk.alarms] == [LogForkedError]


async def test_one_that_grows_past_what_witnesses_saw_during_a_round_is_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round began with a head below what the witness names; by then the log is as large."""
    desk.add("one")
    await write(desk.world, 3)
    async with HttpOut() as http:
        await ask(desk.open(http))
        put_back(desk.world)
        cosigning, add = desk.open(http), HttpWitnesses.add_checkpoint

        async def add_and_grow(
            witnesses: HttpWitnesses, url: str, request: bytes
        ) -> tuple[int, bytes]:
            answer = await add(witnesses, url, request)
            await write(desk.world, 2)
            return answer

        monkeypatch.setattr(HttpWitnesses, "add_checkpoint", add_and_grow)
        await ask(cosigning)
        assert [type(error) for error in desk.alarms] == [LogForkedError]


async def test_a_log_that_is_not_what_witnesses_saw_is_refused(desk: Desk) -> None:
    witness = desk.add("one")
    await write(desk.world, 3)
    signer: CheckpointSigner = desk.world.checkpoints
    note = signer.sign(2, b"f" * 32).encode()
    line = build_cosignature(parse_note(note).text, witness.name, witness.key, int(time.time()))
    witness.shown = add_lines(note, [line])
    async with HttpOut() as http:
        cosigning = desk.open(http)
        with pytest.raises(LogForkedError):
            await cosigning.require_not_behind()


async def test_a_witness_cannot_stop_a_log_with_words_of_its_own(desk: Desk) -> None:
    witness = desk.add("one", "ahead")
    await write(desk.world, 3)
    stranger = TestWitness("stranger", desk.log_entry)
    signer = CheckpointSigner(ORIGIN, stranger.key)
    witness.shown = signer.sign(10**9, b"f" * 32).encode()
    async with HttpOut() as http:
        cosigning = desk.open(http)
        await cosigning.require_not_behind()
        await ask(cosigning)
    assert desk.alarms == []


async def test_what_the_ratchet_knows_of_witnesses_outlives_the_database(desk: Desk) -> None:
    desk.add("one")
    await write(desk.world, 3)
    world = desk.world
    async with HttpOut() as http:
        await ask(desk.open(http))
        mark = world.ratchet.value(f"witnessed:{ORIGIN}")
        assert mark is not None
        assert mark.number == 3
        world.ratchet.advance(f"witnessed:{ORIGIN}", 4, b"r" * 32)
        with pytest.raises(LogBehindError):
            desk.open(http)


async def test_without_a_threshold_the_newest_signed_is_shown(desk: Desk) -> None:
    desk.threshold = 0
    desk.add_absent("gone")
    await write(desk.world, 3)
    async with HttpOut() as http:
        cosigning = desk.open(http)
        await ask(cosigning)
        assert desk.read_shown() == (3, 0)
        await write(desk.world, 1)
        assert desk.read_shown() == (4, 0)


async def test_a_ratchet_that_is_away_costs_a_round_and_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add("one")
    await write(desk.world, 3)
    read, away = Proofs.read_head, iter([True, True])

    def read_head(proofs: Proofs) -> SignedHead:
        if next(away, False):
            raise RatchetAwayError
        return read(proofs)

    monkeypatch.setattr(Proofs, "read_head", read_head)
    async with HttpOut() as http:
        running = asyncio.ensure_future(desk.open(http).run(0.05))
        async with asyncio.timeout(20):
            while desk.read_shown() != (3, 1):  # noqa: ASYNC110 - a value, not an event
                await asyncio.sleep(0.02)
        running.cancel()
