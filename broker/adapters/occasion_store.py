"""Where occasions and their members lie (port: `broker.involvement.occasions.Occasions`).

Rule: team, handlers, how it ended, and what is stated of a member lie sealed, bound to occasion and
person; the rows of an occasion and of its special situation are always read by one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from broker.adapters import rows
from broker.adapters.special_situation_store import SITUATIONS, SqlSpecialSituations
from broker.adapters.tables import MemberRecord, OccasionRecord, table_of
from broker.audit.ended import note_ended
from broker.involvement.occasions import (
    HandlerRow,
    Member,
    Occasion,
    build_closed,
    build_handed_over,
    choose_conversation,
)
from broker.pseudonyms.errors import RaceLost
from datwat.protocol.acts import AgeBand, CloseOccasion, Conversation, Handler, Identity
from datwat.protocol.values import Moment, ShortText, Slug, Value

_O = table_of(OccasionRecord)
_M = table_of(MemberRecord)
_THIS = _O.c.id == bindparam("b_id")
_IN_TIME = _O.c.until_at > bindparam("b_now")
_READ = select(
    _O,
    SITUATIONS.c.sealed.label("special_sealed"),
    SITUATIONS.c.declared_at,
    SITUATIONS.c.opened_at.label("special_opened_at"),
).outerjoin(SITUATIONS, SITUATIONS.c.occasion_id == _O.c.id)
_FIND = _READ.where(_THIS, _IN_TIME)
_OPEN_WITH = (
    _READ.join(_M, _M.c.occasion_id == _O.c.id)
    .where(
        _M.c.subject_id == bindparam("b_subject"),
        _O.c.holder == bindparam("b_holder"),
        _O.c.closed_at.is_(None),
        _IN_TIME,
    )
    .order_by(_O.c.opened_at, _O.c.id)
)
_INSERT = rows.build_insert(_O)
_UPDATE = (
    update(_O)
    .where(_THIS)
    .values(
        sealed=bindparam("b_sealed"),
        closed_at=bindparam("b_closed"),
        until_at=bindparam("b_until"),
    )
)
_THIS_MEMBER = (
    _M.c.occasion_id == bindparam("b_id"),
    _M.c.subject_id == bindparam("b_subject"),
)
_FIND_MEMBER = select(_M.c.named_at, _M.c.sealed).where(
    *_THIS_MEMBER, _M.c.until_at > bindparam("b_now")
)
_LIST_MEMBERS = (
    select(_M.c.subject_id)
    .where(_M.c.occasion_id == bindparam("b_id"), _M.c.until_at > bindparam("b_now"))
    .order_by(_M.c.position)
)
_FIND_WORDS = select(_M.c.sealed).where(*_THIS_MEMBER)
_INSERT_MEMBER = insert(_M)
_UPDATE_WORDS = update(_M).where(*_THIS_MEMBER).values(sealed=bindparam("b_sealed"))
_UPDATE_MEMBERS_END = (
    update(_M).where(_M.c.occasion_id == bindparam("b_id")).values(until_at=bindparam("b_until"))
)
_DELETE_MEMBER = delete(_M).where(*_THIS_MEMBER)


class _OccasionWords(Value):
    team: ShortText
    handlers: tuple[Handler, ...]
    closing: CloseOccasion | None


class _MemberWords(Value):
    role: Slug
    source: Literal["told", "register", "observed"]
    told_at: Moment | None
    may_look_up: bool
    identity: Identity | None
    age_band: AgeBand | None
    conversation: Conversation | None = Field(repr=False)


class SqlOccasions:
    """Occasions and their members in the broker's database."""

    def __init__(self, sealer: rows.RowSealer, situations: SqlSpecialSituations) -> None:
        """Keep what seals the words of a row, and where special situations lie."""
        self._sealer = sealer
        self._situations = situations

    def find_occasion(self, conn: Connection, occasion_id: bytes, now: datetime) -> Occasion | None:
        """Return an occasion, open or closed, with its special situation."""
        row = conn.execute(_FIND, {"b_id": occasion_id, "b_now": now}).first()
        return None if row is None else self._build_occasion(row)

    def find_member(
        self, conn: Connection, occasion_id: bytes, subject_id: bytes, now: datetime
    ) -> Member | None:
        """Return a person as member of an occasion, or None if not named in it."""
        this = {"b_id": occasion_id, "b_subject": subject_id, "b_now": now}
        row = conn.execute(_FIND_MEMBER, this).first()
        if row is None:
            return None
        words = self._open_member(row.sealed, occasion_id, subject_id)
        return Member(occasion_id, subject_id, named_at=row.named_at, **dict(words))

    def list_members(
        self, conn: Connection, occasion_id: bytes, now: datetime
    ) -> tuple[bytes, ...]:
        """Return the data subjects in an occasion, in the order in which they were named."""
        found = conn.execute(_LIST_MEMBERS, {"b_id": occasion_id, "b_now": now})
        return tuple(found.scalars())

    def list_open_with(
        self, conn: Connection, holder: str, subject_id: bytes, now: datetime
    ) -> list[Occasion]:
        """Return the occasions of one partner that are not closed and name a person."""
        this = {"b_holder": holder, "b_subject": subject_id, "b_now": now}
        return [self._build_occasion(row) for row in conn.execute(_OPEN_WITH, this)]

    def open_occasion(
        self, conn: Connection, occasion: Occasion, members: Sequence[Member]
    ) -> None:
        """Add an occasion with its members and its special situation, if any."""
        values = {
            "id": occasion.id,
            "holder": occasion.holder,
            "kind": occasion.kind,
            "opened_at": occasion.opened_at,
            "until_at": occasion.until_at,
            "inform_by": occasion.inform_by,
            "closed_at": occasion.closed_at,
            "confidential": occasion.confidential,
            "introduced_by": occasion.introduced_by,
            "sealed": self._seal_occasion(occasion),
        }
        rows.insert(conn, _INSERT, values)
        for position, member in enumerate(members):
            self._add_member(conn, member, position, occasion.until_at)
        if occasion.special_situation is not None:
            self._situations.declare(conn, occasion.special_situation)

    def add_conversation(
        self, conn: Connection, occasion_id: bytes, subject_id: bytes, stated: Conversation
    ) -> None:
        """Record a conversation with a member; RaceLost where the person is no member any more."""
        this = {"b_id": occasion_id, "b_subject": subject_id}
        sealed = conn.execute(_FIND_WORDS, this).scalar()
        if sealed is None:
            raise RaceLost
        words = self._open_member(sealed, occasion_id, subject_id)
        newest = choose_conversation(words.conversation, stated)
        new = words.model_copy(update={"conversation": newest})
        sealed = self._sealer.seal(_M.name, new, occasion_id, subject_id)
        rows.write(conn, _UPDATE_WORDS, {**this, "b_sealed": sealed})

    def hand_over(
        self, conn: Connection, occasion_id: bytes, handlers: Sequence[HandlerRow], now: datetime
    ) -> None:
        """Replace who handles an open occasion; RaceLost where it was closed meanwhile."""
        occasion = self._require_open(conn, occasion_id, now)
        new = build_handed_over(occasion.handlers, handlers, now)
        self._update(conn, replace(occasion, handlers=new))

    def close_occasion(
        self, conn: Connection, occasion_id: bytes, closing: CloseOccasion, now: datetime
    ) -> None:
        """Close an open occasion; RaceLost where it was closed meanwhile."""
        occasion = build_closed(self._require_open(conn, occasion_id, now), closing, now)
        self._update(conn, occasion)
        end = {"b_id": occasion_id, "b_until": occasion.until_at}
        conn.execute(_UPDATE_MEMBERS_END, end)
        note_ended("occasion", occasion_id)

    def remove_member(self, conn: Connection, occasion_id: bytes, subject_id: bytes) -> None:
        """Take a wrong person out of an occasion."""
        conn.execute(_DELETE_MEMBER, {"b_id": occasion_id, "b_subject": subject_id})
        note_ended("member", occasion_id, subject_id)

    def _require_open(self, conn: Connection, occasion_id: bytes, now: datetime) -> Occasion:
        occasion = self.find_occasion(conn, occasion_id, now)
        if occasion is None or occasion.closed_at is not None:
            raise RaceLost
        return occasion

    def _update(self, conn: Connection, occasion: Occasion) -> None:
        values = {
            "b_id": occasion.id,
            "b_sealed": self._seal_occasion(occasion),
            "b_closed": occasion.closed_at,
            "b_until": occasion.until_at,
        }
        rows.write(conn, _UPDATE, values)

    def _add_member(
        self, conn: Connection, member: Member, position: int, until_at: datetime
    ) -> None:
        words = _MemberWords(
            role=member.role,
            source=member.source,
            told_at=member.told_at,
            may_look_up=member.may_look_up,
            identity=member.identity,
            age_band=member.age_band,
            conversation=member.conversation,
        )
        values = {
            "occasion_id": member.occasion_id,
            "subject_id": member.subject_id,
            "position": position,
            "named_at": member.named_at,
            "until_at": until_at,
            "sealed": self._sealer.seal(_M.name, words, member.occasion_id, member.subject_id),
        }
        conn.execute(_INSERT_MEMBER, values)

    def _seal_occasion(self, occasion: Occasion) -> bytes:
        words = _OccasionWords(
            team=occasion.team, handlers=occasion.handlers, closing=occasion.closing
        )
        return self._sealer.seal(_O.name, words, occasion.id)

    def _open_member(self, sealed: bytes, occasion_id: bytes, subject_id: bytes) -> _MemberWords:
        return self._sealer.unseal(_M.name, _MemberWords, sealed, occasion_id, subject_id)

    def _build_occasion(self, row: rows.AnyRow) -> Occasion:
        words = self._sealer.unseal(_O.name, _OccasionWords, row.sealed, row.id)
        special = None
        if row.special_sealed is not None:
            special = self._situations.build_row(
                row.id, row.special_sealed, row.declared_at, row.special_opened_at
            )
        return Occasion(
            id=row.id,
            holder=row.holder,
            kind=row.kind,
            team=words.team,
            opened_at=row.opened_at,
            until_at=row.until_at,
            confidential=row.confidential,
            handlers=words.handlers,
            inform_by=row.inform_by,
            introduced_by=row.introduced_by,
            closed_at=row.closed_at,
            closing=words.closing,
            special_situation=special,
        )
