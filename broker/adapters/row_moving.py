"""What lies under the row key, table by table, and how a row goes from one key to another.

Rules: every table with a sealed column that the KEK does not seal stands in `SEALED`
(`tests/rotation/` holds it against the schema); a row is replaced only if it still is what was
read, so that whoever wrote it meanwhile wins: they wrote under the newer key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, bindparam, func, select, tuple_, update

from broker.adapters.answer_tables import DutyRecord
from broker.adapters.other_tables import ProcessingRow
from broker.adapters.oversight_tables import DrawRecord, FindingRecord, MonthRecord
from broker.adapters.purpose_tables import (
    OfficerRoleRecord,
    OfficerTokenRecord,
    PurposeApprovalRecord,
    PurposeDraftRecord,
    PurposeProposalRecord,
)
from broker.adapters.replay_tables import ReplayRecord
from broker.adapters.rows import COUNTED, AnyRow, build_row_aad
from broker.adapters.tables import (
    SPENT,
    AuthorityRecord,
    BlockRecord,
    ConsentRecord,
    ContactRequestRecord,
    IntroductionRecord,
    InvolvementRecord,
    MemberRecord,
    NoticeRecord,
    ObjectionRecord,
    OccasionRecord,
    PseudonymRecord,
    QuestionRecord,
    ReferenceRecord,
    SpecialSituationRecord,
    table_of,
)
from broker.exchange.recorded import build_spent_aad
from broker.exchange.row_turning import Page
from broker.involvement.introductions import VALID_FOR
from broker.pseudonyms.references import build_copy_aad, build_lookup_value
from broker.pseudonyms.row_keys import INDEX, REFERENCE, ROW, RowKeys
from broker.pseudonyms.row_keys import SPENT as SPENT_LABEL
from broker.pseudonyms.subjects import build_pseudonym_aad
from datwat.protocol.sealing import UnsealError

_NUMBER_SIZE: Final = 16
Lookup = Callable[[AnyRow, bytes], tuple[bytes, bytes]]
"""From a row and what was sealed in it to the label and the value of its keyed hash."""


@dataclass(frozen=True)
class Sealed:
    """One kind of row under the row key: what binds it, and what it is found by."""

    table: Table
    ids: tuple[str, ...]
    derive_aad: Callable[[AnyRow], bytes]
    label: bytes = ROW
    column: str = "sealed"
    lookup: Lookup | None = field(default=None)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The columns of the primary key, in order."""
        return tuple(column.name for column in self.table.primary_key.columns)

    @cached_property
    def first(self) -> Select[Any]:
        """The query of the first page."""
        names = dict.fromkeys((*self.key_names, *self.ids, self.column))
        c = self.table.c
        return (
            select(*(c[name] for name in names))
            .where(c[self.column].is_not(None))
            .order_by(*(c[name] for name in self.key_names))
            .limit(bindparam("b_limit"))
        )

    @cached_property
    def next(self) -> Select[Any]:
        """The query of a page behind a key."""
        columns = [self.table.c[name] for name in self.key_names]
        after = [
            bindparam(f"b_after_{name}", type_=column.type)
            for name, column in zip(self.key_names, columns, strict=True)
        ]
        return self.first.where(tuple_(*columns) > tuple_(*after))

    @cached_property
    def replace(self) -> Any:  # noqa: ANN401 - an UPDATE of any table
        """The statement that puts one row under another key."""
        c = self.table.c
        values: dict[str, Any] = {self.column: bindparam("b_new")}
        if self.lookup is not None:
            values["lookup"] = bindparam("b_new_lookup")
        return (
            update(self.table)
            .where(*(c[name] == bindparam(f"b_{name}") for name in self.key_names))
            .where(c[self.column] == bindparam("b_old"))
            .values(values)
            .execution_options(**COUNTED)
        )


def _to_id(value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(_NUMBER_SIZE, "big")
    return value.encode() if isinstance(value, str) else bytes(value)


def _words(model: type[Any], *ids: str) -> Sealed:
    """Return a table whose words a `RowSealer` seals, bound to these columns."""
    table = table_of(model)

    def derive_aad(row: AnyRow) -> bytes:
        return build_row_aad(table.name, *(_to_id(getattr(row, name)) for name in ids))

    return Sealed(table, ids, derive_aad)


SEALED: Final[tuple[Sealed, ...]] = (
    Sealed(
        table_of(PseudonymRecord),
        ("subject_id", "epoch"),
        lambda row: build_pseudonym_aad(bytes(row.subject_id), row.epoch),
        lookup=lambda _row, pseudonym: (INDEX, pseudonym),
    ),
    Sealed(
        table_of(ReferenceRecord),
        ("partner", "kind", "target"),
        lambda row: build_copy_aad(row.partner, row.kind, bytes(row.target)),
        lookup=lambda row, copy: (REFERENCE, build_lookup_value(row.partner, copy)),
    ),
    _words(OccasionRecord, "id"),
    _words(MemberRecord, "occasion_id", "subject_id"),
    _words(SpecialSituationRecord, "occasion_id"),
    _words(InvolvementRecord, "subject_id", "id"),
    _words(ContactRequestRecord, "id", "subject_id"),
    _words(AuthorityRecord, "id", "subject_id"),
    _words(ConsentRecord, "id", "subject_id"),
    _words(ObjectionRecord, "id", "subject_id"),
    _words(BlockRecord, "id", "subject_id"),
    _words(QuestionRecord, "id", "subject_id"),
    _words(DutyRecord, "id", "subject_id"),
    _words(NoticeRecord, "id"),
    _words(ProcessingRow, "id"),
    _words(DrawRecord, "id"),
    _words(FindingRecord, "id"),
    _words(MonthRecord, "month"),
    _words(OfficerRoleRecord, "id"),
    _words(OfficerTokenRecord, "token_hash"),
    _words(PurposeDraftRecord, "id"),
    _words(PurposeProposalRecord, "id"),
    _words(PurposeApprovalRecord, "proposal_id", "kid"),
    _words(ReplayRecord, "number"),
    Sealed(
        SPENT,
        (),
        lambda row: build_spent_aad(row.iss, bytes(row.rid)),
        label=SPENT_LABEL,
        column="answer",
    ),
)
_I = table_of(IntroductionRecord)
_INTRODUCTIONS = (
    select(func.count())
    .select_from(_I)
    .where(
        _I.c.redeemed_at.is_(None),
        _I.c.until_at > bindparam("b_now", type_=_I.c.until_at.type),
        _I.c.until_at <= bindparam("b_until", type_=_I.c.until_at.type),
    )
)


class SqlRowTables:
    """Implements `broker.exchange.row_turning.RowTables`."""

    count = len(SEALED)

    def __init__(self, keys: RowKeys) -> None:
        self._keys = keys

    def read_page(
        self, conn: Connection, place: int, after: Sequence[Any] | None, limit: int
    ) -> Page:
        """Return the next rows of a table, with those that lie under the older key moved."""
        sealed = SEALED[place]
        values: dict[str, Any] = {"b_limit": limit}
        if after is not None:
            values |= {
                f"b_after_{name}": one for name, one in zip(sealed.key_names, after, strict=True)
            }
        rows = conn.execute(sealed.first if after is None else sealed.next, values).all()
        moves, unreadable = [], 0
        for row in rows:
            try:
                move = self._move(sealed, row)
            except UnsealError:
                unreadable += 1
            else:
                moves += [move] if move else []
        end = _key_of(sealed, rows[-1]) if len(rows) == limit else None
        return Page(len(rows), unreadable, moves, end)

    def move(self, conn: Connection, place: int, moves: Sequence[dict[str, Any]]) -> int:
        """Write what `read_page` moved, where it still is what was read; return how many were."""
        statement = SEALED[place].replace
        return sum(conn.execute(statement, move).rowcount for move in moves)

    def count_introductions(self, conn: Connection, given_until: datetime, now: datetime) -> int:
        """Return how many codes that were given until a moment may still be redeemed.

        A code is kept as a keyed hash only, so that it cannot be moved.
        """
        values = {"b_until": given_until + VALID_FOR, "b_now": now}
        return int(conn.execute(_INTRODUCTIONS, values).scalar_one())

    def _move(self, sealed: Sealed, row: AnyRow) -> dict[str, Any] | None:
        old = bytes(getattr(row, sealed.column))
        aad = sealed.derive_aad(row)
        plaintext = self._keys.find_stale(sealed.label, old, aad)
        if plaintext is None:
            return None
        found = zip(sealed.key_names, _key_of(sealed, row), strict=True)
        values: dict[str, Any] = {f"b_{name}": value for name, value in found}
        values |= {"b_old": old, "b_new": self._keys.seal(sealed.label, plaintext, aad)}
        if sealed.lookup is not None:
            values["b_new_lookup"] = self._keys.digest(*sealed.lookup(row, plaintext))
        return values


def _key_of(sealed: Sealed, row: AnyRow) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in sealed.key_names)
