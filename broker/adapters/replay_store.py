"""Keeping replays: begun, put down after a batch, stopped, taken up again, ended, signed off.

Rule enforced: only the process that a replay names as its runner may go on with it, so that one
that was stopped, or replaced, writes nothing more; how far it is and what was counted change
together.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, Row, insert, select, update

from broker.adapters.database import BEGIN_OPTION, BEGIN_WRITING
from broker.adapters.log_tables import LogEntry
from broker.adapters.replay_tables import ReplayRecord
from broker.adapters.rows import RowSealer
from broker.adapters.tables import table_of
from broker.policy.replay_result import ReplayPlan, ReplayResult
from broker.policy.replay_tally import Tally, build_result
from broker.pseudonyms.row_keys import RowKeys
from datwat.protocol.values import Value

KEPT = timedelta(days=90)
MOST_LISTED = 100
_TABLE = "replays"
_RUNNER_LENGTH = 16
_REPLAYS, _ENTRIES = table_of(ReplayRecord), table_of(LogEntry)
_SHOWN = [column for column in _REPLAYS.c if column.name != "archive"]


class _Words(Value):
    """What lies sealed in a row; `tally` is its JSON."""

    plan: ReplayPlan
    tally: str


class ReplayTask(NamedTuple):
    """What a runner goes on with."""

    number: int
    runner: bytes
    plan: ReplayPlan
    tally: Tally
    at_index: int
    archive: bytes


class SqlReplays:
    """The replays in the broker's database; safe in several threads and processes."""

    def __init__(self, engine: Engine, row_key: RowKeys | bytes) -> None:
        """Keep where they lie and the key that seals what was counted."""
        self._engine = engine
        self._writing = engine.execution_options(**{BEGIN_OPTION: BEGIN_WRITING})
        self._sealer = RowSealer(row_key)

    def begin(self, plan: ReplayPlan, archive: bytes, now: datetime) -> int:
        """Write a new replay that runs; return its number. `archive`: of the bundle in force."""
        values = {
            "digest": plan.digest,
            "state": "running",
            "runner": os.urandom(_RUNNER_LENGTH),
            "at_index": plan.from_index,
            "started_at": now,
            "until_at": now + KEPT,
            "archive": archive,
            "sealed": b"",
        }
        with self._writing.begin() as conn:
            number = int(
                conn.execute(insert(_REPLAYS).returning(_REPLAYS.c.number), values).scalar_one()
            )
            sealed = self._seal(number, plan, Tally())
            conn.execute(update(_REPLAYS).where(_REPLAYS.c.number == number).values(sealed=sealed))
        return number

    def find(self, number: int | None = None, digest: str | None = None) -> ReplayResult | None:
        """Return a replay by its number, or the newest of a draft, or the newest of all."""
        query = select(*_SHOWN).order_by(_REPLAYS.c.number.desc()).limit(1)
        if number is not None:
            query = query.where(_REPLAYS.c.number == number)
        if digest is not None:
            query = query.where(_REPLAYS.c.digest == digest)
        with self._engine.connect() as conn:
            row = conn.execute(query).first()
        return None if row is None else self._show(row)

    def find_done(self, digest: str, base_revision: str) -> ReplayResult | None:
        """Return the newest replay of a draft that is done and was put beside this revision."""
        query = (
            select(*_SHOWN)
            .where(_REPLAYS.c.digest == digest, _REPLAYS.c.state == "done")
            .order_by(_REPLAYS.c.number.desc())
        )
        with self._engine.connect() as conn:
            found = (self._show(row) for row in conn.execute(query))
            return next((one for one in found if one.base_revision == base_revision), None)

    def has_entries(self) -> bool:
        """Return whether the log holds any entry about a person.

        Decisions alone are not looked for: an answer that turns on one which waits to be told would
        tell of it (promise 5).
        """
        query = select(_ENTRIES.c.idx).where(_ENTRIES.c.subject_id.is_not(None)).limit(1)
        with self._engine.connect() as conn:
            return conn.execute(query).first() is not None

    def list_newest(self) -> list[ReplayResult]:
        """Return the newest hundred, the newest first."""
        query = select(*_SHOWN).order_by(_REPLAYS.c.number.desc()).limit(MOST_LISTED)
        with self._engine.connect() as conn:
            return [self._show(row) for row in conn.execute(query).all()]

    def take(self, number: int) -> ReplayTask | None:
        """Return a replay that runs, for its runner; None where it does not run."""
        query = select(_REPLAYS).where(_REPLAYS.c.number == number, _REPLAYS.c.state == "running")
        with self._engine.connect() as conn:
            row = conn.execute(query).first()
        if row is None:
            return None
        words = self._open(row)
        return ReplayTask(
            number=number,
            runner=row.runner,
            plan=words.plan,
            tally=Tally.model_validate_json(words.tally),
            at_index=row.at_index,
            archive=row.archive,
        )

    def put_down(self, task: ReplayTask, tally: Tally, at_index: int) -> bool:
        """Keep how far it is; return False where this runner may not go on."""
        return self._change(
            task, at_index=at_index, sealed=self._seal(task.number, task.plan, tally)
        )

    def finish(self, task: ReplayTask, tally: Tally, at_index: int, now: datetime) -> bool:
        """Keep that it is done; return False where this runner may not go on."""
        return self._change(
            task,
            state="done",
            at_index=at_index,
            ended_at=now,
            until_at=now + KEPT,
            sealed=self._seal(task.number, task.plan, tally),
        )

    def set_state(self, number: int, was: tuple[str, ...], state: str) -> bool:
        """Change the state, with a new runner; return False where it is in no state of `was`."""
        statement = (
            update(_REPLAYS)
            .where(_REPLAYS.c.number == number, _REPLAYS.c.state.in_(was))
            .values(state=state, runner=os.urandom(_RUNNER_LENGTH))
        )
        with self._writing.begin() as conn:
            return conn.execute(statement).rowcount > 0

    def sign_off(self, number: int, now: datetime) -> None:
        """Keep that somebody said that what newly would be allowed is meant. Idempotent."""
        statement = (
            update(_REPLAYS)
            .where(_REPLAYS.c.number == number, _REPLAYS.c.signed_off_at.is_(None))
            .values(signed_off_at=now)
        )
        with self._writing.begin() as conn:
            conn.execute(statement)

    def _change(self, task: ReplayTask, **values: Any) -> bool:  # noqa: ANN401 - columns
        statement = (
            update(_REPLAYS)
            .where(
                _REPLAYS.c.number == task.number,
                _REPLAYS.c.runner == task.runner,
                _REPLAYS.c.state == "running",
            )
            .values(**values)
        )
        with self._writing.begin() as conn:
            return conn.execute(statement).rowcount > 0

    def _seal(self, number: int, plan: ReplayPlan, tally: Tally) -> bytes:
        words = _Words(plan=plan, tally=tally.model_dump_json())
        return self._sealer.seal(_TABLE, words, number.to_bytes(16, "big"))

    def _open(self, row: Row[Any]) -> _Words:
        return self._sealer.unseal(_TABLE, _Words, row.sealed, row.number.to_bytes(16, "big"))

    def _show(self, row: Row[Any]) -> ReplayResult:
        words = self._open(row)
        return build_result(
            row.number,
            words.plan,
            Tally.model_validate_json(words.tally),
            state=row.state,
            at_index=row.at_index,
            started_at=row.started_at,
            ended_at=row.ended_at,
            signed_off_at=row.signed_off_at,
        )
