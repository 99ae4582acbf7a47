"""Contents that end by the hundred thousand, while the broker answers at half of what it can.

`make bench ARGS=--ends`, or for a quick look `ARGS="--ends --scale 0.2 --pointers 30000"`: the real
broker, in whose log lie persons of an earlier quarter with four contents each. They fall due in
parts; its own housekeeping ends them. What was ended is counted by the broker's own count, in
windows in which questions are asked without a pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import select, update

from bench.figures import Figure
from bench.load import Run
from bench.meter import Usage, measure
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
from datwat.party.database import truncate_journal
from datwat.party.settings import load_settings
from datwat.party.trust_keeper import open_ratchet

CONTENTS = 100_000
PEOPLE = 64
_PER_PERSON = 4
_AT_ONCE = 100
_CAPACITY = 1_000
# Short, so that few contents end unseen while a window's messages are prepared before it.
_WINDOW_SECONDS = 3.0
_PART = 50_000
_MOST_WINDOWS = 200
_HALF = 0.5
_THEN = datetime(2025, 2, 1, tzinfo=UTC)
_NEVER = datetime(2099, 1, 1, tzinfo=UTC)
_ENDED = "contents="
_NAME = "contents that end, questions going on"


@dataclass
class Windows:
    """What windows gave: questions, the p99 of each, seconds, CPU of the broker, contents ended."""

    latencies: list[float] = field(default_factory=list)
    slowest: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    ended: int = 0

    def add(self, run: Run, usage: Usage, ended: int) -> None:
        """Count a window in."""
        self.latencies += run.latencies
        self.slowest.append(_quantile(run.latencies))
        self.seconds += usage.seconds
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


def let_end(home: Path, count: int) -> int:
    """Let the retention of so many of what was seeded be over; return of how many it was."""
    engine, entries = open_engine(load_settings(BrokerSettings, home).database), table_of(LogEntry)
    waiting = select(entries.c.idx).where(entries.c.retention_until == _NEVER).limit(count)
    with engine.begin() as connection:
        ended = connection.execute(
            update(entries)
            .where(entries.c.idx.in_(waiting))
            .values(retention_until=_THEN + timedelta(days=365))
        ).rowcount
    # What this update wrote is not for the broker's own tidying to bear.
    truncate_journal(engine)
    engine.dispose()
    return ended


async def measure_ends(bench: Bench) -> None:
    """Measure capacity, then latencies at half of it: by turns while nothing ends and beside it.

    In turns of seconds, so that what else the machine does meanwhile is shared by both.
    """
    await register_all(bench, bench.bsns)
    sync_source(bench)
    cases = await open_cases(bench, [(bsn,) for bsn in bench.bsns])
    bench.figures.clear()  # what it cost to set up is no figure of this part
    full, _ = await _ask(bench, cases, bench.count(_CAPACITY))
    rate, alone, beside = full.rate * _HALF, Windows(), Windows()
    count = max(1, int(rate * _WINDOW_SECONDS))
    whole = _count_ended(bench)
    while part := let_end(bench.world.covenant.broker.home, _PART):
        whole += part
        windows = await _ask_while_ending(bench, cases, (count, rate), beside, whole)
        for _ in range(windows):
            alone.add(*await _ask(bench, cases, count, rate), 0)
    if not beside.ended or math.isnan(beside.cpu):
        raise RuntimeError("nothing ended while questions were asked: seed more contents")
    _add_figures(bench, alone, beside)
    bench.add(Figure(_NAME, "questions, half of capacity", rate, "/s"))


def _add_figures(bench: Bench, alone: Windows, beside: Windows) -> None:
    seconds = CONTENTS * beside.seconds / beside.ended
    # Of the middle window: a hiccup of the machine makes one window slow, an ending all of them.
    without, during = median(alone.slowest), median(beside.slowest)
    per_question = alone.cpu / len(alone.latencies)
    cpu = (beside.cpu - per_question * len(beside.latencies)) * 1_000 / beside.ended
    bench.add(Figure(_NAME, f"seconds for {CONTENTS:,}", seconds, "s", 60))
    bench.add(Figure(_NAME, "ended in the windows measured", beside.ended, "rows"))
    bench.add(Figure(_NAME, "broker CPU per content", cpu, "ms"))
    bench.add(Figure(_NAME, "p99 while nothing ends, middle window", without, "ms"))
    bench.add(Figure(_NAME, "p99 beside it, middle window", during, "ms"))
    bench.add(Figure(_NAME, "p99 beside it / without", during / without, "×", 2))
    bench.add(Figure(_NAME, "p99 without, all windows", _quantile(alone.latencies), "ms"))
    bench.add(Figure(_NAME, "p99 beside it, all windows", _quantile(beside.latencies), "ms"))


async def _ask_while_ending(
    bench: Bench, cases: Sequence[Case], asked: tuple[int, float], beside: Windows, whole: int
) -> int:
    """Ask in windows until `whole` contents ended in all, and return in how many windows.

    Messages are prepared between them; what ends meanwhile is not counted.
    """
    (count, rate), windows = asked, 0
    for _ in range(_MOST_WINDOWS):
        messages = await prepare_inquiries(bench.team, cases, count, by_handle=True)
        with measure(bench.world.pids) as usage:  # from count to count, what lies between them too
            before = _count_ended(bench)
            if before >= whole:
                return windows
            run, _ = await send(bench, messages, rate=rate)
            after = _count_ended(bench)
        check(bench.team, messages, run, shows_all)
        # A window in which the end came would flatter.
        if before < after < whole or not beside.ended:
            beside.add(run, usage, after - before)
            windows += 1
    raise RuntimeError("what is due does not end")


async def _ask(
    bench: Bench, cases: Sequence[Case], count: int, rate: float | None = None
) -> tuple[Run, Usage]:
    messages = await prepare_inquiries(bench.team, cases, count, by_handle=True)
    run, usage = await send(bench, messages, rate=rate)
    check(bench.team, messages, run, shows_all)
    return run, usage


def _count_ended(bench: Bench) -> int:
    """Return how many contents the broker says it ended (to count what is due costs too much)."""
    said = call_running(bench.world.covenant.broker.home, "status")["housekeeping_ended"]
    return next((int(one[len(_ENDED) :]) for one in said.split() if one.startswith(_ENDED)), 0)


def _quantile(latencies: Sequence[float]) -> float:
    return Run(1.0, list(latencies), [], []).quantile(0.99)
