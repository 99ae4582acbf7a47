"""The runs of `sync`: which one is going, how far it is, and which rows failed with which code."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from connectors.client.results import SyncState
from connectors.client.store import read_moment
from connectors.tables import sync_failures, sync_runs
from datwat.party.database import reading


class RunStore:
    """The statements over runs; every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def take_up(self, now: datetime, not_older: timedelta) -> int:
        """Return an unfinished run that began at most `not_older` ago, else a new one.

        What was counted stays, since those rows are not sent again; failures begin anew.
        """
        c = sync_runs.c
        since = int((now - not_older).timestamp())
        open_ones = select(c.run).where(c.state != "finished", c.started_at >= since)
        with self._engine.begin() as connection:
            newest = connection.execute(select(c.run).order_by(c.run.desc()).limit(1)).scalar()
            run = connection.execute(open_ones.order_by(c.run.desc()).limit(1)).scalar()
            if run is not None and run == newest:
                connection.execute(delete(sync_failures).where(sync_failures.c.run == run))
                going = update(sync_runs).where(c.run == run)
                connection.execute(going.values(state="running", finished_at=None))
                return int(run)
            values = {"state": "running", "total": 0, "registered": 0, "reconfirmed": 0, "ended": 0}
            new = insert(sync_runs).values(started_at=int(now.timestamp()), **values)
            key = connection.execute(new).inserted_primary_key
            assert key is not None  # noqa: S101 - an insert with one primary key returns it
            return int(key[0])

    def set_total(self, run: int, total: int) -> None:
        """Say how many rows the source holds."""
        self._change(run, total=total)

    def add(self, run: int, *, registered: int, reconfirmed: int, ended: int) -> None:
        """Add what became of a batch."""
        c = sync_runs.c
        self._change(
            run,
            registered=c.registered + registered,
            reconfirmed=c.reconfirmed + reconfirmed,
            ended=c.ended + ended,
        )

    def fail(self, run: int, key: tuple[str, str], code: str) -> None:
        """Note that a row failed; the last code of a row counts."""
        build = sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        statement = build(sync_failures).values(run=run, client=key[0], kind=key[1], code=code)
        with self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["run", "client", "kind"], set_={"code": code}
                )
            )

    def finish(self, run: int, state: str, now: datetime, code: str | None = None) -> None:
        """End a run as `finished`, or as `stopped` by an error, which counts as a failure."""
        if code is not None:
            self.fail(run, ("", ""), code)
        self._change(run, state=state, finished_at=int(now.timestamp()))

    def find_newest(self) -> SyncState | None:
        """Return the state of the newest run."""
        return self._find(select(sync_runs).order_by(sync_runs.c.run.desc()).limit(1))

    def require(self, run: int) -> SyncState:
        """Return the state of a run that exists."""
        found = self._find(select(sync_runs).where(sync_runs.c.run == run))
        if found is None:
            raise KeyError(run)
        return found

    def _find(self, query: Any) -> SyncState | None:  # noqa: ANN401 - a select of runs
        with reading(self._engine).connect() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            codes = select(sync_failures.c.code).where(sync_failures.c.run == row.run)
            counted = Counter(connection.execute(codes).scalars())
        return _build_state(row, dict(sorted(counted.items())))

    def _change(self, run: int, **values: Any) -> None:  # noqa: ANN401 - values or expressions
        with self._engine.begin() as connection:
            connection.execute(update(sync_runs).where(sync_runs.c.run == run).values(**values))


def _build_state(row: Row[Any], failures: dict[str, int]) -> SyncState:
    return SyncState(
        run=row.run,
        state=row.state,
        started_at=read_moment(row.started_at),
        finished_at=read_moment(row.finished_at) if row.finished_at is not None else None,
        total=row.total,
        registered=row.registered,
        reconfirmed=row.reconfirmed,
        ended=row.ended,
        failed=sum(failures.values()),
        failures=failures,
    )
