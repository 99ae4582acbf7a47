"""Where pointers lie (port: `broker.involvement.involvements.Involvements`).

Rule: one statement on one index finds what is known of a person, the same whoever asks and whatever
was decided; what it may show is narrowed afterwards, before anything sealed is opened.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, delete, null, or_, select, update

from broker.adapters import rows
from broker.adapters.log_tables import derive_seconds
from broker.adapters.tables import InvolvementRecord, ShieldRecord, table_of
from broker.audit.ended import note_ended
from broker.involvement.involvements import (
    KEPT_ENDED,
    MOST_POINTERS,
    EndReason,
    Involvement,
    Mark,
)
from broker.pseudonyms.errors import RaceLost
from datwat.party.hot import HotStatement
from datwat.protocol.acts import Contact

_T = table_of(InvolvementRecord)
_S = table_of(ShieldRecord)
_NOT_ENDED = _T.c.ended_at.is_(None)
_CURRENT = (_NOT_ENDED, _T.c.expires_at > bindparam("b_now"))
_OF_PERSON = _T.c.subject_id == bindparam("b_subject")
_OF_SOURCE = _T.c.source == bindparam("b_source")
_THIS = _T.c.id == bindparam("b_id")
_READ = select(_T, _S.c.until_at.label("shield_until")).outerjoin(
    _S, and_(_S.c.subject_id == _T.c.subject_id, _S.c.lifted.is_(False))
)
_POINTERS = (
    _READ.where(_OF_PERSON, *_CURRENT).order_by(_T.c.registered_at, _T.c.id).limit(MOST_POINTERS)
)
_FIND = _READ.where(_THIS)
_FIND_REGISTERED = (
    _READ.where(
        _OF_PERSON,
        _OF_SOURCE,
        _T.c.kind == bindparam("b_kind"),
        or_(_NOT_ENDED, _T.c.end_reason == bindparam("b_reason")),
    )
    .order_by(and_(*_CURRENT).desc(), _T.c.registered_at.desc(), _T.c.id)
    .limit(1)
)
_OF_ONE_SOURCE = _READ.where(_OF_PERSON, _OF_SOURCE, *_CURRENT).order_by(_T.c.registered_at)
_EXPIRED = (
    select(_T.c.id)
    .where(_NOT_ENDED, _T.c.expires_at <= bindparam("b_now"))
    .order_by(_T.c.expires_at)
    .limit(bindparam("b_limit"))
)
_INSERT = rows.build_hot_insert(_T)
_END_EXPIRED = HotStatement(
    lambda _name: (
        update(_T)
        .where(
            _OF_PERSON,
            _OF_SOURCE,
            _T.c.kind == bindparam("b_kind"),
            _NOT_ENDED,
            _T.c.expires_at <= bindparam("b_now"),
        )
        .values(ended_at=_T.c.expires_at, end_reason=bindparam("b_reason"))
    )
)
_RECONFIRM = HotStatement(
    lambda _name: (
        update(_T)
        .where(_THIS, *_CURRENT)
        .values(
            sealed=bindparam("b_sealed"),
            expires_at=bindparam("b_expires"),
            reconfirmed_at=bindparam("b_now"),
            shielded=bindparam("b_shielded"),
            confidential=or_(_T.c.confidential, bindparam("b_confidential")),
            mark=null(),
            until_at=bindparam("b_until"),
        )
    )
)
_END = (
    update(_T)
    .where(_THIS, _NOT_ENDED)
    .values(
        ended_at=bindparam("b_now"),
        end_reason=bindparam("b_reason"),
        until_at=bindparam("b_until"),
    )
)
_MARK_OTHERS = (
    update(_T)
    .where(_OF_PERSON, _T.c.source != bindparam("b_source"), _NOT_ENDED)
    .values(mark=bindparam("b_mark"))
)
_SUBJECT_OF = select(_T.c.subject_id).where(_THIS)
_ANNUL = delete(_T).where(_THIS)


class SqlInvolvements:
    """Pointers in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def find_registered(
        self, conn: Connection, subject_id: bytes, source: str, kind: str, now: datetime
    ) -> Involvement | None:
        """Return the current one of a source and kind, else the newest that its term ended."""
        this = {
            "b_subject": subject_id,
            "b_source": source,
            "b_kind": kind,
            "b_now": now,
            "b_reason": "expired",
        }
        row = conn.execute(_FIND_REGISTERED, this).first()
        return None if row is None else self._build(row, now)

    def find(self, conn: Connection, involvement_id: bytes, now: datetime) -> Involvement | None:
        """Return an involvement by its id, ended ones too while they are kept."""
        row = conn.execute(_FIND, {"b_id": involvement_id}).first()
        return None if row is None else self._build(row, now)

    def pointers_of(
        self,
        conn: Connection,
        subject_id: bytes,
        functions: AbstractSet[str],
        kinds: AbstractSet[str],
        now: datetime,
    ) -> list[Involvement]:
        """Return the current involvements of these functions and kinds, the oldest first."""
        found = conn.execute(_POINTERS, {"b_subject": subject_id, "b_now": now}).all()
        return [
            self._build(row, now)
            for row in found
            if row.function in functions and row.kind in kinds
        ]

    def list_current(self, conn: Connection, subject_id: bytes, now: datetime) -> list[Involvement]:
        """Return every current involvement with a person, the oldest first: for themselves."""
        found = conn.execute(_POINTERS, {"b_subject": subject_id, "b_now": now}).all()
        return [self._build(row, now) for row in found]

    def list_current_of(
        self, conn: Connection, subject_id: bytes, source: str, now: datetime
    ) -> list[Involvement]:
        """Return everything that one source has registered of a person and that is current."""
        this = {"b_subject": subject_id, "b_source": source, "b_now": now}
        return [self._build(row, now) for row in conn.execute(_OF_ONE_SOURCE, this)]

    def add(self, conn: Connection, involvement: Involvement) -> None:
        """Add a pointer; RaceLost where the source has a current one of this kind already."""
        this = {
            "b_subject": involvement.subject_id,
            "b_source": involvement.source,
            "b_kind": involvement.kind,
            "b_now": derive_seconds(involvement.registered_at),
            "b_reason": "expired",
        }
        _END_EXPIRED.run(conn, this)
        values = {
            "subject_id": involvement.subject_id,
            "id": involvement.id,
            "source": involvement.source,
            "function": involvement.function,
            "kind": involvement.kind,
            "domain": involvement.domain,
            "since_at": derive_seconds(involvement.since_at),
            "registered_at": derive_seconds(involvement.registered_at),
            "reconfirmed_at": derive_seconds(involvement.reconfirmed_at),
            "expires_at": derive_seconds(involvement.expires_at),
            "ended_at": None,
            "end_reason": None,
            "shielded": involvement.shielded,
            "confidential": involvement.confidential,
            "mark": None,
            "until_at": derive_seconds(involvement.expires_at + KEPT_ENDED),
            "sealed": self._seal(involvement.contact, involvement.subject_id, involvement.id),
        }
        if not _INSERT.run(conn, values):
            raise RaceLost

    def reconfirm(
        self,
        conn: Connection,
        involvement_id: bytes,
        contact: Contact,
        expires_at: datetime,
        now: datetime,
        *,
        shielded: bool,
        confidential: bool,
    ) -> None:
        """Write what its source says again; RaceLost where it ended meanwhile.

        What is confidential stays so, whatever is said again.
        """
        subject_id = conn.execute(_SUBJECT_OF, {"b_id": involvement_id}).scalar()
        if subject_id is None:
            raise RaceLost
        values = {
            "b_id": involvement_id,
            "b_now": derive_seconds(now),
            "b_sealed": self._seal(contact, subject_id, involvement_id),
            "b_expires": derive_seconds(expires_at),
            "b_shielded": shielded,
            "b_confidential": confidential,
            "b_until": derive_seconds(expires_at + KEPT_ENDED),
        }
        if not _RECONFIRM.run(conn, values):
            raise RaceLost

    def end(
        self, conn: Connection, involvement_id: bytes, reason: EndReason, now: datetime
    ) -> None:
        """End a pointer at once; RaceLost where it ended meanwhile."""
        values = {
            "b_id": involvement_id,
            "b_now": now,
            "b_reason": reason,
            "b_until": now + KEPT_ENDED,
        }
        rows.write(conn, _END, values)
        note_ended("pointer", involvement_id)

    def annul(self, conn: Connection, involvement_id: bytes) -> None:
        """Destroy a pointer to the wrong person: it never was one; RaceLost where it is gone."""
        rows.write(conn, _ANNUL, {"b_id": involvement_id})
        note_ended("annulled", involvement_id)

    def mark_others(self, conn: Connection, subject_id: bytes, source: str, mark: Mark) -> int:
        """Mark what other sources have of a person who died or moved; return how many those are."""
        values = {"b_subject": subject_id, "b_source": source, "b_mark": mark}
        return conn.execute(_MARK_OTHERS, values).rowcount

    def list_expired(self, conn: Connection, now: datetime, limit: int) -> list[bytes]:
        """Return the ids of pointers past their term that nobody ended yet, the earliest first."""
        return [row.id for row in conn.execute(_EXPIRED, {"b_now": now, "b_limit": limit})]

    def _seal(self, contact: Contact, subject_id: bytes, involvement_id: bytes) -> bytes:
        return self._sealer.seal(_T.name, contact, subject_id, involvement_id)

    def _build(self, row: rows.AnyRow, now: datetime) -> Involvement:
        by_resident = row.shield_until is not None and row.shield_until > now
        return Involvement(
            id=row.id,
            subject_id=row.subject_id,
            source=row.source,
            function=row.function,
            kind=row.kind,
            domain=row.domain,
            contact=self._sealer.unseal(_T.name, Contact, row.sealed, row.subject_id, row.id),
            since_at=row.since_at,
            registered_at=row.registered_at,
            reconfirmed_at=row.reconfirmed_at,
            expires_at=row.expires_at,
            shielded=row.shielded or by_resident,
            confidential=row.confidential,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
            shielded_by_source=row.shielded,
            mark=row.mark,
        )
