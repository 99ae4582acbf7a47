"""Where contact requests lie (port: `broker.involvement.contacts.Contacts`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from broker.adapters import rows
from broker.adapters.log_tables import UtcSeconds
from broker.adapters.tables import ContactRequestRecord, table_of
from broker.involvement.contacts import (
    AskedContact,
    ContactFacts,
    ContactRequest,
    State,
    derive_contact_facts,
    is_forward,
)
from broker.involvement.notices import UnreadableRow, derive_next_try
from datwat.protocol.acts import Contact

_T = table_of(ContactRequestRecord)
_THIS = _T.c.id == bindparam("b_id")
_IN_TIME = _T.c.until_at > bindparam("b_now")
_FIND = select(_T).where(_THIS, _IN_TIME)
_INSERT = insert(_T)
_STATE_OF = select(_T.c.state).where(_THIS, _IN_TIME)
_MOVE = (
    update(_T)
    .where(_THIS)
    .values(
        state=bindparam("b_state"),
        seen_at=func.coalesce(_T.c.seen_at, bindparam("b_now", type_=UtcSeconds)),
        answered_at=bindparam("b_answered"),
    )
)
_ASKED = (
    select(_T.c.asked_at, _T.c.state)
    .where(
        _T.c.requester == bindparam("b_requester"),
        _T.c.subject_id == bindparam("b_subject"),
        _IN_TIME,
    )
    .order_by(_T.c.asked_at.desc())
    .limit(100)
)
_UNDELIVERED = (
    select(_T)
    .where(_T.c.relayed, _T.c.delivered_at.is_(None), _T.c.next_at <= bindparam("b_now"), _IN_TIME)
    .order_by(_T.c.next_at, _T.c.id)
    .limit(bindparam("b_limit"))
)
_PUT_OFF = update(_T).where(_THIS).values(tries=bindparam("b_tries"), next_at=bindparam("b_next"))
_END_RELAYING = update(_T).where(_THIS, _T.c.delivered_at.is_(None)).values(relayed=False)
_DELIVERED = (
    update(_T).where(_THIS, _T.c.delivered_at.is_(None)).values(delivered_at=bindparam("b_now"))
)
_OVERDUE = (
    select(func.count())
    .select_from(_T)
    .where(
        _T.c.relayed,
        _T.c.state != "answered",
        _T.c.due_at <= bindparam("b_now"),
        _IN_TIME,
    )
)


class SqlContacts:
    """Contact requests in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add(self, conn: Connection, request: ContactRequest) -> None:
        """Add a request, relayed or not: the same write for both."""
        values = {
            "id": request.id,
            "requester": request.requester,
            "source": request.source,
            "subject_id": request.subject_id,
            "occasion_id": request.occasion_id,
            "audience": request.audience,
            "relayed": request.relayed,
            "tries": request.tries,
            "next_at": request.asked_at,
            "state": request.state,
            "asked_at": request.asked_at,
            "due_at": request.due_at,
            "until_at": request.until_at,
            "sealed": self._sealer.seal(_T.name, request.call_back, request.id, request.subject_id),
        }
        conn.execute(_INSERT, values)

    def find(self, conn: Connection, request_id: bytes, now: datetime) -> ContactRequest | None:
        """Return a request by its id, or None where it is over."""
        row = conn.execute(_FIND, {"b_id": request_id, "b_now": now}).first()
        return None if row is None else self._build(row)

    def move(self, conn: Connection, request_id: bytes, state: State, now: datetime) -> bool:
        """Write that it was seen or answered; False where that is no step forward."""
        present = conn.execute(_STATE_OF, {"b_id": request_id, "b_now": now}).scalar()
        if present is None or not is_forward(present, state):
            return False
        answered = now if state == "answered" else None
        values = {"b_id": request_id, "b_state": state, "b_now": now, "b_answered": answered}
        return rows.is_written(conn, _MOVE, values)

    def contact_facts(
        self, conn: Connection, requester: str, subject_id: bytes, now: datetime
    ) -> ContactFacts:
        """Return when a requester asked about a person, and since when there is no answer."""
        this = {"b_requester": requester, "b_subject": subject_id, "b_now": now}
        return derive_contact_facts(
            AskedContact(row.asked_at, row.state == "answered")
            for row in conn.execute(_ASKED, this)
        )

    def list_undelivered(
        self,
        conn: Connection,
        now: datetime,
        limit: int,
        unreadable: list[UnreadableRow] | None = None,
    ) -> list[ContactRequest]:
        """Return what is to be relayed to its source now, the longest due first."""
        found = conn.execute(_UNDELIVERED, {"b_now": now, "b_limit": limit})
        return rows.build_readable(found, self._build, unreadable)

    def put_off(
        self, conn: Connection, request: ContactRequest | UnreadableRow, now: datetime
    ) -> None:
        """Write that it failed once more, and when it is tried again."""
        next_at = derive_next_try(request.tries, now)
        values = {"b_id": request.id, "b_tries": request.tries + 1, "b_next": next_at}
        conn.execute(_PUT_OFF, values)

    def end_relaying(self, conn: Connection, request_id: bytes) -> None:
        """Write that it reaches nobody after all; its requester sees no difference."""
        conn.execute(_END_RELAYING, {"b_id": request_id})

    def mark_delivered(self, conn: Connection, request_id: bytes, now: datetime) -> None:
        """Write that the source has it; the first time counts."""
        conn.execute(_DELIVERED, {"b_id": request_id, "b_now": now})

    def count_overdue(self, conn: Connection, now: datetime) -> int:
        """Return how many relayed requests nobody answered in time."""
        found: int | None = conn.execute(_OVERDUE, {"b_now": now}).scalar()
        return found or 0

    def _build(self, row: rows.AnyRow) -> ContactRequest:
        return ContactRequest(
            id=row.id,
            requester=row.requester,
            source=row.source,
            subject_id=row.subject_id,
            relayed=row.relayed,
            asked_at=row.asked_at,
            due_at=row.due_at,
            until_at=row.until_at,
            call_back=self._sealer.unseal(_T.name, Contact, row.sealed, row.id, row.subject_id),
            state=row.state,
            seen_at=row.seen_at,
            answered_at=row.answered_at,
            delivered_at=row.delivered_at,
            occasion_id=row.occasion_id,
            audience=row.audience,
            tries=row.tries,
        )
