"""Contents that end by the hundred thousand, while the broker answers at half of what it can.

`make bench ARGS=--ends`: the real broker, in whose log lie persons of an earlier quarter with four
contents each. Its own housekeeping ends them; what was ended is counted by the broker's count of
what is due, in windows in which questions are asked without a pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from bench.figures import Figure
from bench.load import Run
from bench.meter import Usage
from bench.others import sync_source
from bench.partner import Case
from bench.works import Bench, check, open_cases, prepare_inquiries, register_all, send, shows_all
from broker.adapters.database import migrate, open_engine
from broker.adapters.log_store import SqlLogStore
from broker.adapters.log_tables import LogEntry, table_of
from broker.adapters.secrets import load_secrets
from broker.audit.log import Log
from broker.audit.records import ChainRef, EntryDraft, Job, PreparedEntry, SubjectKeys
from broker.audit.sealing import Sealing
from broker.settings import BrokerSettings
from datwat.party.admin import call_running
from datwat.party.settings import load_settings
from datwat.party.trust_keeper import open_ratchet

CONTENTS = 100_000
PEOPLE = 64
_PER_PERSON = 4
_AT_ONCE = 100
_CAPACITY = 1_000
_WINDOW_SECONDS = 12.0
_MOST_WINDOWS = 8
_HALF = 0.5
_THEN = datetime(2025, 2, 1, tzinfo=UTC)
_NEVER = datetime(2099, 1, 1, tzinfo=UTC)
_NAME = "contents that end, questions going on"


@dataclass
class Beside:
    """What the windows gave: questions, seconds, CPU of the broker, and contents ended."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    ended: int = 0

    def add(self, run: Run, usage: Usage, ended: int) -> None:
        """Count a window in."""
        self.latencies += run.latencies
        self.seconds += run.seconds
        self.cpu += usage.cpu["broker"]
        self.ended += ended


def seed_contents(home: Path, count: int) -> None:
    """Write so many contents that end one day into the log of a broker that does not run."""
    asyncio.run(_seed(home, count))


async def _seed(home: Path, count: int) -> None:
    with _open_log(home) as (log, sealing):
        people = -(-count // _PER_PERSON)
        for start in range(0, people, _AT_ONCE):
            jobs = []
            for _ in range(min(_AT_ONCE, people - start)):
                keys = sealing.mint_subject(_THEN)
                entries = [_prepare(sealing, keys) for _ in range(_PER_PERSON)]
                jobs.append(log.append(Job(lambda _, e=entries: e, (keys,))))  # type: ignore[misc]
            await asyncio.gather(*jobs)


@contextlib.contextmanager
def _open_log(home: Path) -> Iterator[tuple[Log, Sealing]]:
    settings, secrets = load_settings(BrokerSettings, home), load_secrets(home)
    engine = open_engine(settings.database)
    migrate(engine)
    store = SqlLogStore(engine)
    with open_ratchet(settings) as ratchet:
        log = Log(store, ratchet, secrets.build_signer(settings.log_origin))
        log.start()
        yield log, Sealing(secrets.kek, store)
        log.stop()
    store.close()
    engine.dispose()


def _prepare(sealing: Sealing, keys: SubjectKeys) -> PreparedEntry:
    draft = EntryDraft(
        chain=ChainRef(keys.subject_id, "open"),
        core=bytes(300),
        payload=b'{"event":"inquire","text":"' + b"x" * 600 + b'"}',
        at=_THEN,
        retention_until=_NEVER,
        replay_input=bytes(900),
    )
    return sealing.prepare_entry(keys, draft)


def let_end(home: Path) -> None:
    """Let the retention of what was seeded be over."""
    engine = open_engine(load_settings(BrokerSettings, home).database)
    entries = table_of(LogEntry)
    with engine.begin() as connection:
        connection.execute(
            update(entries)
            .where(entries.c.retention_until == _NEVER)
            .values(retention_until=_THEN + timedelta(days=365))
        )
    engine.dispose()


async def measure_ends(bench: Bench) -> None:
    """Measure capacity, then latencies at half of it without anything that ends and beside it."""
    await register_all(bench, bench.bsns)
    sync_source(bench)
    cases = await open_cases(bench, [(bsn,) for bsn in bench.bsns])
    bench.figures.clear()  # what it cost to set up is no figure of this part
    full, _ = await _ask(bench, cases, bench.count(_CAPACITY))
    rate = full.rate * _HALF
    alone, usage = await _ask(bench, cases, _fill_window(rate), rate)
    per_question = usage.per("broker", len(alone.latencies))
    bench.world.restart_broker(let_end)
    beside = await _ask_while_ending(bench, cases, rate)
    before, after = alone.quantile(0.99), _quantile(beside.latencies)
    cpu = (beside.cpu * 1_000 - per_question * len(beside.latencies)) / beside.ended
    per_second = beside.ended / beside.seconds
    bench.add(Figure(_NAME, f"seconds for {CONTENTS:,}", CONTENTS / per_second, "s", 60))
    bench.add(Figure(_NAME, "ended in the windows measured", beside.ended, "rows"))
    bench.add(Figure(_NAME, "broker CPU per content", cpu, "ms"))
    bench.add(Figure(_NAME, "questions, half of capacity", rate, "/s"))
    bench.add(Figure(_NAME, "p99 while nothing ends", before, "ms"))
    bench.add(Figure(_NAME, "p99 beside it", after, "ms"))
    bench.add(Figure(_NAME, "p99 beside it / alone", after / before, "×", 2))


async def _ask_while_ending(bench: Bench, cases: Sequence[Case], rate: float) -> Beside:
    """Ask in windows until nothing is due; messages are prepared between them."""
    beside = Beside()
    for _ in range(_MOST_WINDOWS):
        messages = await prepare_inquiries(bench.team, cases, _fill_window(rate), by_handle=True)
        due = _count_due(bench)
        if not due:
            break
        run, usage = await send(bench, messages, rate=rate)
        left = _count_due(bench)
        check(bench.team, messages, run, shows_all)
        if left or not beside.ended:  # a window in which the end came would flatter
            beside.add(run, usage, due - left)
    if not beside.ended or math.isnan(beside.cpu):
        raise RuntimeError("nothing ended while questions were asked: seed more contents")
    return beside


async def _ask(
    bench: Bench, cases: Sequence[Case], count: int, rate: float | None = None
) -> tuple[Run, Usage]:
    messages = await prepare_inquiries(bench.team, cases, count, by_handle=True)
    run, usage = await send(bench, messages, rate=rate)
    check(bench.team, messages, run, shows_all)
    return run, usage


def _fill_window(rate: float) -> int:
    return max(1, int(rate * _WINDOW_SECONDS))


def _count_due(bench: Bench) -> int:
    home = bench.world.covenant.broker.home
    return int(call_running(home, "housekeep_due")["due"]["contents"])


def _quantile(latencies: Sequence[float]) -> float:
    return Run(1.0, list(latencies), [], []).quantile(0.99)
