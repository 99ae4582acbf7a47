"""The log as a witness holds it: how far it was followed, its tags, and alarms.

Rule: a part of the log is taken in whole, in one transaction, or not at all; what is taken in was
proved to lie under a signed root, every tag root in it was recomputed, and no tag occurs twice.
A log of another name (a new generation) is followed from its beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select, update

from datwat.party.database import READ_ONLY
from datwat.party.tag_index import TagIndex
from datwat.protocol.errors import DatwatError
from datwat.protocol.tag_tree import Leaf, TagTwiceError
from datwat.protocol.tiles import TreeEdge
from witness.follow import Part
from witness.reading import StatedRoot, read_entries, wrong_root
from witness.tables import ALARMS, FOLLOWED, LOG_TAGS, VOUCHED, WAITING_TAGS
from witness.tag_roots import twice

_ROWS_AT_ONCE = 500
_LONGEST_DETAIL = 500
_ONLY = 1
_MOST_ALARMS = 100


class OpenAlarm(NamedTuple):
    """An alarm that no person has looked at yet."""

    number: int
    code: str
    detail: str
    at: int


class HeldLog:
    """What is held of one log; used by one task at a time."""

    def __init__(self, engine: Engine, origin: str) -> None:
        """Load what is held of the log of this name; of another one, forget it."""
        self._engine = engine
        self._index = TagIndex(LOG_TAGS)
        self.origin = origin
        self.edge = TreeEdge()
        self.note = b""
        self.covered = 0
        self.roots = 0
        self._waiting: list[Leaf] = []
        with engine.begin() as connection:
            self._load(connection)

    def take_in(self, part: Part, note: bytes, now: datetime) -> None:
        """Take in a part that was proved against the signed `note`.

        Raises:
            LogAlarmError: the log states what no honest log states; nothing was taken in.
        """
        reading = read_entries(part.start, part.entries, self.covered)
        waiting = [*self._waiting, *reading.tags]
        try:
            with self._engine.begin() as connection:
                self._require_new(connection, reading.tags)
                for stated in reading.roots:
                    waiting = self._check_root(connection, stated, waiting)
                covered = reading.roots[-1].size if reading.roots else self.covered
                self._write_waiting(connection, covered, reading.tags)
                roots = self.roots + len(reading.roots)
                held = {
                    "size": part.edge.size,
                    "edge": part.edge.serialise(),
                    "covered": covered,
                    "roots": roots,
                    "note": note,
                    "at": int(now.timestamp()),
                }
                connection.execute(update(FOLLOWED).values(held))
        except BaseException:
            self._index.discard()
            raise
        self._index.commit()
        self._waiting, self.edge, self.note = waiting, part.edge, note
        self.covered, self.roots = covered, roots

    def _check_root(
        self, connection: Connection, stated: StatedRoot, waiting: list[Leaf]
    ) -> list[Leaf]:
        """Recompute one root, and return the tags that it does not cover."""
        end = bisect_left(waiting, stated.size, key=lambda leaf: leaf[1])
        try:
            root = self._index.add(connection, waiting[:end], stated.size)
        except TagTwiceError:
            raise twice(stated.place) from None
        if root != stated.root:
            raise wrong_root(stated.place)
        return waiting[end:]

    def _require_new(self, connection: Connection, tags: Sequence[Leaf]) -> None:
        """Raise LogTagTwiceError where a tag occurred before, counted by a root or not yet."""
        seen = {tag for tag, _ in self._waiting}
        for tag, index in tags:
            if tag in seen:
                raise twice(index)
            seen.add(tag)
        for start in range(0, len(tags), _ROWS_AT_ONCE):
            some = dict(tags[start : start + _ROWS_AT_ONCE])
            known = select(LOG_TAGS.c.tag).where(LOG_TAGS.c.tag.in_(some))
            for row in connection.execute(known):
                raise twice(some[row[0]])

    def _write_waiting(self, connection: Connection, covered: int, tags: Sequence[Leaf]) -> None:
        """Keep the new tags that no root covers yet, and no more those that one does."""
        connection.execute(delete(WAITING_TAGS).where(WAITING_TAGS.c.idx < covered))
        rows = [{"idx": index, "tag": tag} for tag, index in tags if index >= covered]
        if rows:
            connection.execute(insert(WAITING_TAGS), rows)

    def _load(self, connection: Connection) -> None:
        row = connection.execute(select(FOLLOWED)).mappings().first()
        if row is None or row["origin"] != self.origin:
            for table in (FOLLOWED, WAITING_TAGS, LOG_TAGS):
                connection.execute(delete(table))
            empty = {"id": _ONLY, "origin": self.origin, "size": 0, "edge": b"", "note": b""}
            connection.execute(insert(FOLLOWED), {**empty, "covered": 0, "roots": 0, "at": 0})
            return
        self.edge = TreeEdge.read(row["size"], row["edge"])
        self.note, self.covered, self.roots = row["note"], row["covered"], row["roots"]
        waiting = connection.execute(
            select(WAITING_TAGS.c.tag, WAITING_TAGS.c.idx).order_by(WAITING_TAGS.c.idx)
        )
        self._waiting = [(tag, index) for tag, index in waiting]
        self._index.load(connection, self.covered)


def keep_alarm(
    engine: Engine, error: DatwatError, held: bytes, shown: bytes, now: datetime
) -> None:
    """Keep an alarm with its evidence, the same one once, and no more than a person can look at."""
    with engine.begin() as connection:
        c = ALARMS.c
        standing = connection.execute(select(c.code, c.shown).where(c.seen_at.is_(None))).all()
        if (error.code, shown) not in map(tuple, standing) and len(standing) < _MOST_ALARMS:
            alarm = {"code": error.code, "detail": error.detail[:_LONGEST_DETAIL]}
            moment = int(now.timestamp())
            connection.execute(
                insert(ALARMS), {**alarm, "held": held, "shown": shown, "at": moment}
            )


def fetch_alarms(engine: Engine) -> Sequence[OpenAlarm]:
    """Return the alarms that no person has looked at, oldest first."""
    c = ALARMS.c
    wanted = select(c.number, c.code, c.detail, c.at).where(c.seen_at.is_(None)).order_by(c.number)
    with engine.execution_options(**{READ_ONLY: True}).begin() as connection:
        return [OpenAlarm(*row) for row in connection.execute(wanted)]


def clear_alarm(engine: Engine, number: int, by: str, now: datetime) -> bool:
    """Note that a person looked at an alarm; return whether it stood."""
    changed = (
        update(ALARMS)
        .where(ALARMS.c.number == number, ALARMS.c.seen_at.is_(None))
        .values(seen_at=int(now.timestamp()), seen_by=by)
    )
    with engine.begin() as connection:
        return bool(connection.execute(changed).rowcount)


def keep_vouched(engine: Engine, origin: str, size: int, note: bytes, now: datetime) -> None:
    """Keep the newest checkpoint that was vouched for, for others to fetch."""
    with engine.begin() as connection:
        connection.execute(delete(VOUCHED).where(VOUCHED.c.origin == origin))
        row = {"origin": origin, "size": size, "note": note, "at": int(now.timestamp())}
        connection.execute(insert(VOUCHED), row)


def find_vouched(engine: Engine, origin: str) -> tuple[int, bytes, int] | None:
    """Return size, note and moment (Unix seconds) of the newest checkpoint vouched for."""
    wanted = select(VOUCHED.c.size, VOUCHED.c.note, VOUCHED.c.at).where(VOUCHED.c.origin == origin)
    with engine.execution_options(**{READ_ONLY: True}).begin() as connection:
        row = connection.execute(wanted).first()
    return None if row is None else (row[0], row[1], row[2])
