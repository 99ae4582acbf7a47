"""What a witness holds of a log: taken in part by part, kept over restarts, all or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from sqlalchemy import Engine, func, select

from datwat.protocol.merkle import hash_leaf
from tests.witness.log_maker import LogMaker, build_log
from witness.errors import LogTagRootError, LogTagTwiceError
from witness.follow import Part
from witness.held import HeldLog, clear_alarm, fetch_alarms, keep_alarm
from witness.tables import LOG_TAGS, WAITING_TAGS

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def engine(own_engine: Engine) -> Engine:
    """Return the engine under its short name: of SQLite and of PostgreSQL in turn."""
    return own_engine


def build_part(held: HeldLog, maker: LogMaker, end: int) -> Part:
    """Return the entries from what is held up to `end`, as `follow` hands them over."""
    edge = held.edge.copy()
    entries = maker.entries[edge.size : end]
    tiles = list(edge.grow([hash_leaf(entry) for entry in entries]))
    return Part(start=held.edge.size, begun=(), entries=entries, tiles=tiles, edge=edge)


def count(engine: Engine) -> tuple[int, int]:
    with engine.begin() as connection:
        found = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (LOG_TAGS, WAITING_TAGS)
        ]
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(4))
def test_parts_of_any_size_and_restarts_between_them(engine: Engine, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - an order that can be repeated
    maker = LogMaker()
    while maker.size < 1_500:
        maker.add_persons(random.randrange(60))
        maker.add_root(random.randint(_last_size(maker), maker.size))
    held = HeldLog(engine, maker.origin)
    while held.edge.size < maker.size:
        end = min(maker.size, held.edge.size + random.randrange(1, 200))
        held.take_in(build_part(held, maker, end), maker.note(end), NOW)
        if random.random() < 0.5:
            held = HeldLog(engine, maker.origin)
        assert held.edge.root == maker.edge(held.edge.size)[0].root
    counted = [leaf for leaf in maker.tags(maker.size) if leaf[1] < held.covered]
    assert count(engine) == (len(counted), len(maker.tags(maker.size)) - len(counted))
    assert held.roots == sum(entry[1] == 2 for entry in maker.entries)


def _last_size(maker: LogMaker) -> int:
    sizes = [int.from_bytes(entry[2:10], "big") for entry in maker.entries if entry[1] == 2]
    return max(sizes, default=0)


@pytest.mark.parametrize("first", [650, 700])
def test_a_tag_that_occurs_again_is_named_wherever_it_was_first(engine: Engine, first: int) -> None:
    for again in (3, 301, 603, 640, 699):
        maker = build_log(700, every=200)
        held = HeldLog(engine, f"log{again}")
        held.take_in(build_part(held, maker, first), maker.note(first), NOW)
        before = (held.edge.size, held.covered, count(engine))
        if maker.entries[again][1] != 1:
            continue
        maker.add_persons(2)
        maker.entries.append(maker.entries[again])
        maker.add_persons(2)
        with pytest.raises(LogTagTwiceError) as refused:
            held.take_in(build_part(held, maker, maker.size), maker.note(), NOW)
        assert refused.value.index == 702
        assert (held.edge.size, held.covered, count(engine)) == before


def test_a_wrong_root_among_right_ones_takes_in_nothing(engine: Engine) -> None:
    maker = build_log(700, every=200)
    held = HeldLog(engine, maker.origin)
    held.take_in(build_part(held, maker, 300), maker.note(300), NOW)
    before = (held.edge.size, held.covered, held.roots, count(engine))
    place = maker.size
    wrong = maker.fork().add_root(root=bytes(32)).add_persons(3)
    with pytest.raises(LogTagRootError) as refused:
        held.take_in(build_part(held, wrong, wrong.size), wrong.note(), NOW)
    assert refused.value.index == place
    assert (held.edge.size, held.covered, held.roots, count(engine)) == before
    maker.add_root()
    held.take_in(build_part(held, maker, maker.size), maker.note(), NOW)
    assert (held.edge.size, held.covered) == (maker.size, maker.size - 1)


def test_alarms_are_kept_once_and_cleared_by_a_person(engine: Engine) -> None:
    error = LogTagRootError(index=4)
    for shown in (b"one", b"one", b"two"):
        keep_alarm(engine, error, b"held", shown, NOW)
    assert [alarm.number for alarm in fetch_alarms(engine)] == [1, 2]
    assert clear_alarm(engine, 1, "A. Smit", NOW)
    assert not clear_alarm(engine, 1, "A. Smit", NOW)
    assert [alarm.number for alarm in fetch_alarms(engine)] == [2]
    keep_alarm(engine, error, b"held", b"one", NOW)  # it came back
    assert [alarm.number for alarm in fetch_alarms(engine)] == [2, 3]
    for number in range(200):
        keep_alarm(engine, error, b"held", b"%d" % number, NOW)
    assert len(fetch_alarms(engine)) == 100
