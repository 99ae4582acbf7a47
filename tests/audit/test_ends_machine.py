"""Appends, ends, restarts, keys that turn and persons that go, in any order: the log stays true.

What must hold after every step: a content can be read until it ended, the stubs of each chain are
its own and in order, and the tree begins with every tree that was signed before. On PostgreSQL
`make test` does a few runs, `make test-long` as many as on SQLite, and longer ones on both.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine

from broker.adapters.database import migrate, open_engine
from broker.adapters.ends_store import SqlEnds
from broker.audit.key_keeping import KeyKeeper, KeyLives
from broker.audit.payloads import parse_payload
from broker.audit.records import SubjectKeys
from datwat.protocol.checkpoint import verify_checkpoint
from datwat.protocol.entry import Audience, derive_tag, derive_tag_key, parse_entry
from datwat.protocol.merkle import derive_root
from tests.audit.conftest import AT, ORIGIN
from tests.audit.test_ends import EndsWorld
from tests.conftest import open_database

_T = TypeVar("_T")
_LIVES = KeyLives(seals=timedelta(days=7), opens=timedelta(days=30))
# Examples and steps of each: part (`make test`) and whole.
_RUNS = {
    ("sqlite", False): (12, 25),
    ("sqlite", True): (60, 50),
    ("postgresql", False): (8, 25),
    ("postgresql", True): (60, 50),
}
_AUDIENCES: tuple[Audience, ...] = ("open", "own", "delayed")


class EndsMachine(RuleBasedStateMachine):
    """One log, some persons, and a clock that only goes on."""

    def open_database(self) -> Engine:
        """Return an engine on a fresh, migrated database."""
        engine = open_engine(f"sqlite:///{self.folder / 'log.db'}")
        migrate(engine)
        return engine

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="datwat-ends-"))
        (self.folder / "apart").mkdir()
        self.stack = ExitStack()
        self.engine = self.open_database()
        self.world = EndsWorld(self.engine, self.folder / "apart")
        self.world.start()
        self.now = AT
        self.keys: dict[bytes, bytes] = {}
        self.contents: dict[int, tuple[bytes, bytes, datetime]] = {}
        self.signed: list[tuple[int, bytes]] = []
        self.build()

    def build(self) -> None:
        self.ends = self.world.build_ends()
        self.keeper = KeyKeeper(self.world.store, SqlEnds(), self.world.kek, self.world.log, _LIVES)

    def run(self, step: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run(step)

    @rule(who=st.integers(0, 2), audience=st.sampled_from(_AUDIENCES), days=st.integers(1, 400))
    def append(self, who: int, audience: Audience, days: int) -> None:
        keys = self.find_keys(who)
        self.keys[keys.subject_id] = keys.chain_key
        payload = f'{{"event":"inquire","text":"{len(self.contents)}"}}'.encode()
        until = self.now + timedelta(days=days)
        write = self.world.write(keys, payload, until, audience, mark=b"mark", at=self.now)
        self.contents[self.run(write)] = (keys.subject_id, payload, until)

    def find_keys(self, who: int) -> SubjectKeys:
        known = sorted(self.keys)
        if who >= len(known):
            return self.world.sealing.mint_subject(self.now)
        with self.world.store.reading() as conn:
            found = self.world.sealing.fetch_keys(conn, [known[who]], self.now)
        return found[known[who]]

    @rule(days=st.integers(1, 200))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule()
    def end(self) -> None:
        while self.run(self.ends.erase_due(self.now, 3)).places:
            pass

    @rule()
    def turn_keys(self) -> None:
        for now in (self.now, self.now + timedelta(hours=1)):
            while self.run(self.keeper.keep(now, 2)):
                pass

    @rule()
    def end_persons(self) -> None:
        after = b""
        while True:
            ended, after = self.run(self.ends.end_subjects(self.now, after, 2))
            for subject_id, _ in ended.places:
                del self.keys[subject_id]
            if not after:
                return

    @precondition(lambda self: self.contents)
    @rule()
    def restart(self) -> None:
        self.world.stop()
        self.world.start()
        self.build()

    @invariant()
    def contents_are_there_until_they_ended(self) -> None:
        if not hasattr(self, "world"):
            return
        for subject_id in {one for one, _, _ in self.contents.values()}:
            told = self.world.read(subject_id, *_AUDIENCES)
            for index, (whose, payload, until) in self.contents.items():
                if whose == subject_id and until > self.now:
                    assert told[index] == payload
            for index, content in told.items():
                if index not in self.contents and content is not None:
                    assert parse_payload(content).event == "erased"

    @invariant()
    def stubs_are_in_order_and_the_tree_only_grows(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.store.reading() as conn:
            for subject_id, chain_key in self.keys.items():
                rows = self.world.store.fetch_entries_of(
                    conn, subject_id, ["open", "own"], limit=500, before=None
                )
                for row in rows:
                    assert row.audience is not None
                    assert row.quarter is not None
                    assert row.number is not None
                    audience: Audience = "own" if row.audience == "own" else "open"
                    key = derive_tag_key(chain_key, audience, row.quarter)
                    assert parse_entry(row.entry).ref == derive_tag(key, row.number)
        leaves, vkeys = self.world.read_leaves(), [self.world.checkpoints.vkey]
        head = verify_checkpoint(self.world.log.checkpoint().encode(), ORIGIN, vkeys)
        self.signed.append((head.size, head.root))
        for size, root in self.signed[-3:]:
            assert derive_root(leaves[:size]) == root

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.stop()
            self.engine.dispose()
            self.stack.close()
            shutil.rmtree(self.folder)


def _build_settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=(
            Phase.explicit,
            Phase.reuse,
            Phase.generate,
        ),  # each step syncs: shrinking takes minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


@pytest.mark.long
def test_ends_in_any_order(whole: bool) -> None:
    run_state_machine_as_test(EndsMachine, settings=_build_settings(*_RUNS["sqlite", whole]))


@pytest.mark.long
@pytest.mark.postgres
def test_ends_in_any_order_on_a_server(
    postgres_url: str, postgres_template: str, whole: bool
) -> None:
    class OnServer(EndsMachine):
        def open_database(self) -> Engine:
            url = self.stack.enter_context(open_database(postgres_url, postgres_template))
            return open_engine(url)

    run_state_machine_as_test(OnServer, settings=_build_settings(*_RUNS["postgresql", whole]))
