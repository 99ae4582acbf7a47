"""The occasions of the partner's own staff: who works on which, for the pages that they see.

Rule (domain.md, Zaanstad): staff see the occasions only that they work on now. What counts as right
to ask is weighed at the broker; this is what somebody is shown of their own. Nothing of a resident
but the partner's own client numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Engine, delete, insert, select, update

from connectors.client.store import read_moment
from connectors.tables import occasion_members, occasion_staff, occasions
from datwat.party.database import READ_ONLY
from datwat.protocol.acts import Handler, OccasionStatement

_HANDLERS = TypeAdapter(tuple[Handler, ...])


@dataclass(frozen=True, slots=True)
class OwnOccasion:
    """An open occasion that somebody works on; `role` is theirs, `members` are client numbers."""

    number: str
    kind: str
    team: str
    role: str
    opened_at: datetime
    handlers: tuple[Handler, ...]
    members: tuple[str, ...]


class OwnOccasions:
    """The statements over one engine; every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, number: str, opens: OccasionStatement) -> None:
        """Keep what an occasion was opened as."""
        self._change(number, opens.handlers, {"kind": opens.kind, "team": opens.team})

    def hand_over(self, number: str, handlers: Sequence[Handler]) -> None:
        """Keep who works on an occasion from now on."""
        self._change(number, handlers, {})

    def list_for(self, professional: str, now: datetime) -> tuple[OwnOccasion, ...]:
        """Return the open occasions that somebody works on at this moment, the newest first."""
        c, s = occasions.c, occasion_staff.c
        theirs = select(s.occasion).where(s.professional == professional)
        return self._read(c.number.in_(theirs), professional, now)

    def find_for(self, professional: str, number: str, now: datetime) -> OwnOccasion | None:
        """Return an open occasion that somebody works on, or None: also for another's."""
        found = self._read(occasions.c.number == number, professional, now)
        return found[0] if found else None

    def _read(
        self, wanted: ColumnElement[bool], professional: str, now: datetime
    ) -> tuple[OwnOccasion, ...]:
        c, m = occasions.c, occasion_members.c
        found = select(occasions).where(wanted, c.closed_at.is_(None), c.handlers.is_not(None))
        with self._engine.connect() as connection:
            reading = connection.execution_options(**{READ_ONLY: True})
            rows = [
                (row, handlers, mine)
                for row in reading.execute(found.order_by(c.opened_at.desc(), c.number))
                if (mine := _find_own(handlers := _decode(row.handlers), professional, now))
            ]
            return tuple(
                OwnOccasion(
                    number=row.number,
                    kind=row.kind,
                    team=row.team,
                    role=mine.role,
                    opened_at=read_moment(row.opened_at),
                    handlers=handlers,
                    members=tuple(
                        reading.execute(
                            select(m.client).where(m.occasion == row.number).order_by(m.place)
                        ).scalars()
                    ),
                )
                for row, handlers, mine in rows
            )

    def _change(
        self, number: str, handlers: Sequence[Handler], values: Mapping[str, object]
    ) -> None:
        changed = update(occasions).where(occasions.c.number == number)
        staff = sorted({handler.professional for handler in handlers})
        rows = [{"occasion": number, "professional": one} for one in staff]
        with self._engine.begin() as connection:
            connection.execute(changed.values(**values, handlers=_encode(handlers)))
            connection.execute(delete(occasion_staff).where(occasion_staff.c.occasion == number))
            if rows:
                connection.execute(insert(occasion_staff), rows)


def _find_own(handlers: Sequence[Handler], professional: str, now: datetime) -> Handler | None:
    for handler in handlers:
        is_current = handler.from_at <= now and (handler.until_at is None or now < handler.until_at)
        if is_current and handler.professional == professional:
            return handler
    return None


def _encode(handlers: Sequence[Handler]) -> bytes:
    return json.dumps([handler.model_dump(mode="json") for handler in handlers]).encode()


def _decode(raw: bytes) -> tuple[Handler, ...]:
    return _HANDLERS.validate_json(raw)
