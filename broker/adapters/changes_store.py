"""Whether something weighed changed since, for several processes (port: `exchange.changes`).

Rule: the log's writers take turns (the head's row is locked), so that whoever writes sees every
change that was written before; its number is above the moment at which an older question began.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql

from broker.adapters.sharing_tables import SharedChange, WeighedChange
from broker.adapters.tables import table_of
from broker.exchange.changes import Change
from broker.pseudonyms.errors import RaceLost

# Far longer than a question is weighed.
KEPT_FOR = timedelta(hours=1)
_NAME = "weighed"
_C, _W = table_of(SharedChange), table_of(WeighedChange)
_READ = select(_C.c.number).where(_C.c.name == _NAME)
_ADD = (
    postgresql.insert(_C)
    .values(name=_NAME, number=1)
    .on_conflict_do_update(index_elements=[_C.c.name], set_={"number": _C.c.number + 1})
    .returning(_C.c.number)
)
_NEWER = (
    select(_W.c.key)
    .where(_W.c.key.in_(bindparam("b_keys", expanding=True)), _W.c.number > bindparam("b_moment"))
    .limit(1)
)
_PUT = postgresql.insert(_W)
_PUT_ALL = _PUT.on_conflict_do_update(
    index_elements=[_W.c.key],
    set_={"number": _PUT.excluded.number, "until_at": _PUT.excluded.until_at},
)


class SqlChanges:
    """Implements `broker.exchange.changes.Changes` on PostgreSQL."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def read_moment(self, conn: Connection) -> int:
        """Return the moment; before anything else is read on this connection."""
        return int(conn.execute(_READ).scalar() or 0)

    def require_same(self, conn: Connection, keys: Collection[bytes], moment: int) -> None:
        """Raise RaceLost where something under these keys may differ from what was read then."""
        given = {"b_keys": list(keys), "b_moment": moment}
        if conn.execute(_NEWER, given).first() is not None:
            raise RaceLost

    def begin(self, conn: Connection, change: Change) -> None:
        """Write that it changes, in the transaction that changes it; twice is once."""
        number = conn.execute(_ADD).scalar_one()
        until = self._clock() + KEPT_FOR
        rows = [{"key": key, "number": number, "until_at": until} for key in set(change.keys)]
        conn.execute(_PUT_ALL, rows)

    def end(self, change: Change) -> None:
        """Do nothing: it was written with the commit, or not at all."""
