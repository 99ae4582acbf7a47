"""References: 128 random bits that the broker gives one partner for one thing, and ends with it.

Rules: nothing that two partners see is equal; a reference means something only together with the
partner that it was given to; an introduction code is redeemed once, by the partner named in it. The
table holds a keyed hash of partner and reference, and a sealed copy, so that the partner is given
the same reference again; the copy is bound to partner, kind and target, so that a changed row is an
alarm. Source: docs/reference/protocol.md sections 5 and 10; RFC 2104, NIST SP 800-38D.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from broker.pseudonyms.errors import RaceLost, ReferenceMismatch
from broker.pseudonyms.reference_rows import (
    HANDLE_KINDS,
    SESSION_KINDS,
    Introduction,
    Kind,
    ReferenceRow,
    ReferenceStore,
    Target,
    Touch,
)
from broker.pseudonyms.row_keys import REFERENCE, ROW, RowKeys
from broker.pseudonyms.subjects import draw_id
from datwat.protocol.messages import Rung
from datwat.protocol.sealing import UnsealError

HANDLE_KEPT_FOR = timedelta(days=365)
SESSION_IDLE = timedelta(minutes=15)
SESSION_LONGEST = timedelta(minutes=60)


def derive_handle_end(now: datetime) -> datetime:
    """Return until when a handle lasts that is used at `now`: a year after its last use."""
    return now + HANDLE_KEPT_FOR


def derive_session_end(given_at: datetime, now: datetime) -> datetime:
    """Return until when a session's handle lasts: 15 minutes after its last use, 60 at most."""
    return min(now + SESSION_IDLE, given_at + SESSION_LONGEST)


def build_copy_aad(partner: str, kind: Kind, target: bytes) -> bytes:
    """Return what binds the sealed copy of a reference to its row."""
    return b"\0".join((b"reference", partner.encode(), kind.encode(), target))


def build_lookup_value(partner: str, reference: bytes) -> bytes:
    """Return what the keyed hash of a reference, or of an introduction's code, is made of."""
    return partner.encode() + reference


class References:
    """Gives, finds and ends what partners know things and persons by."""

    def __init__(self, store: ReferenceStore, row_key: RowKeys | bytes) -> None:
        """Take the broker's row key: its ring, or the one key of 32 bytes."""
        self._store = store
        self._keys = RowKeys.of(row_key)

    def draw(self) -> bytes:
        """Return a new reference: 16 random bytes."""
        return draw_id()

    def _derive_lookup(self, partner: str, reference: bytes) -> bytes:
        return self._keys.digest(REFERENCE, build_lookup_value(partner, reference))

    def _derive_lookups(self, partner: str, reference: bytes) -> Sequence[bytes]:
        return self._keys.digests(REFERENCE, build_lookup_value(partner, reference))

    def _open_copy(self, row: ReferenceRow) -> bytes:
        aad = build_copy_aad(row.partner, row.target.kind, row.target.target)
        try:
            return self._keys.unseal(ROW, row.sealed, aad)
        except UnsealError:
            raise ReferenceMismatch from None

    def _find_row(
        self, conn: Connection, partner: str, reference: bytes, now: datetime
    ) -> ReferenceRow | None:
        row = self._store.find_row(conn, self._derive_lookups(partner, reference))
        if row is None:
            return None
        if row.partner != partner or not hmac.compare_digest(self._open_copy(row), reference):
            raise ReferenceMismatch
        return row if row.target.until_at > now else None

    def find_target(
        self, conn: Connection, partner: str, kind: Kind, reference: bytes, now: datetime
    ) -> Target | None:
        """Return what `reference` stands for at this partner; None if not its own, or ended.

        Raises ReferenceMismatch where the row was changed.
        """
        row = self._find_row(conn, partner, reference, now)
        return row.target if row is not None and row.target.kind == kind else None

    def find_handle(
        self, conn: Connection, partner: str, reference: bytes, now: datetime
    ) -> Target | None:
        """Return the person that a handle of any of the three kinds stands for, or None."""
        row = self._find_row(conn, partner, reference, now)
        return row.target if row is not None and row.target.kind in HANDLE_KINDS else None

    def find_reference(
        self, conn: Connection, partner: str, kind: Kind, target: bytes, now: datetime
    ) -> bytes | None:
        """Return the reference that this partner already has for a thing, or None.

        Never a session's: each session has its own. Raises ReferenceMismatch as `find_target` does.
        """
        row = self._store.find_row_of(conn, partner, kind, target)
        return self._open_copy(row) if row is not None and row.target.until_at > now else None

    def find_references(
        self,
        conn: Connection,
        partner: str,
        kind: Kind,
        targets: Sequence[bytes],
        now: datetime,
    ) -> dict[bytes, bytes]:
        """Return the references that this partner has for some things, by thing, in one read.

        Never a session's. Raises ReferenceMismatch as `find_target` does.
        """
        found = self._store.find_rows_of(conn, partner, kind, targets) if targets else ()
        return {
            row.target.target: self._open_copy(row) for row in found if row.target.until_at > now
        }

    def list_holders(
        self, conn: Connection, target: bytes, now: datetime
    ) -> list[tuple[str, bytes]]:
        """Return who has a reference to a thing in force, and which.

        Raises ReferenceMismatch as `find_target` does.
        """
        found = self._store.list_rows(conn, target)
        return [(row.partner, self._open_copy(row)) for row in found if row.target.until_at > now]

    def add_reference(
        self,
        conn: Connection,
        partner: str,
        kind: Kind,
        target: bytes,
        reference: bytes,
        *,
        until_at: datetime,
        now: datetime,
        shown_rung: Rung | None = None,
    ) -> None:
        """Keep a reference that was drawn for this partner, kind and target.

        `shown_rung` is set where an involvement is shown, and marks it shown at `now`. Raises
        RaceLost where the partner has one in force for this thing (sessions excepted).
        """
        shown_at = now if shown_rung is not None else None
        row = ReferenceRow(
            lookup=self._derive_lookup(partner, reference),
            partner=partner,
            sealed=self._keys.seal(ROW, reference, build_copy_aad(partner, kind, target)),
            target=Target(kind, target, now, until_at, shown_at, shown_rung),
        )
        self._store.insert_row(conn, row)

    def touch(
        self,
        conn: Connection,
        partner: str,
        kind: Kind,
        target: bytes,
        *,
        until_at: datetime,
        now: datetime,
        shown_rung: Rung | None = None,
    ) -> None:
        """Move the end of what a partner has for a thing, and mark it shown where it was.

        Raises RaceLost where it ended meanwhile.
        """
        self.touch_all(conn, partner, kind, [Touch(target, until_at, shown_rung)], now)

    def touch_all(
        self, conn: Connection, partner: str, kind: Kind, touches: Sequence[Touch], now: datetime
    ) -> None:
        """Do what `touch` does for different things, at least one, at once; raise RaceLost."""
        if self._store.touch_rows(conn, partner, kind, touches, now) != len(touches):
            raise RaceLost

    def touch_session(
        self, conn: Connection, partner: str, reference: bytes, now: datetime
    ) -> None:
        """Keep a session's handle for its idle time, at most for the session's longest.

        Raises RaceLost where the session is over.
        """
        row = self._find_row(conn, partner, reference, now)
        if row is None or row.target.kind not in SESSION_KINDS:
            raise RaceLost
        end = derive_session_end(row.target.given_at, now)
        self._store.update_end(conn, row.lookup, end)

    def end_reference(self, conn: Connection, partner: str, reference: bytes) -> None:
        """End one reference of a partner, such as a session's handle; nothing where it is over."""
        self._store.delete_row(conn, self._derive_lookups(partner, reference))

    def end_target(self, conn: Connection, target: bytes) -> None:
        """End every partner's references to a thing, because the thing itself ended."""
        self._store.delete_target(conn, target)

    def add_introduction(
        self, conn: Connection, to_partner: str, code: bytes, introduction: Introduction
    ) -> None:
        """Keep an introduction under a code that was drawn for it; only `to_partner` can use it."""
        lookup = self._derive_lookup(to_partner, code)
        self._store.insert_introduction(conn, lookup, to_partner, introduction)

    def find_introduction(
        self, conn: Connection, to_partner: str, code: bytes, now: datetime
    ) -> Introduction | None:
        """Return the introduction that a code stands for at this partner, or None if over its time.

        One that was redeemed is returned with `redeemed_at`: it opens nothing any more.
        """
        found = self._store.find_introduction(conn, self._derive_lookups(to_partner, code))
        return found if found is not None and found.until_at > now else None

    def redeem_introduction(
        self, conn: Connection, to_partner: str, code: bytes, rid: bytes, now: datetime
    ) -> None:
        """Use up a code for the request `rid`; raise RaceLost where it is used or over its time."""
        if not self._store.redeem(conn, self._derive_lookups(to_partner, code), rid, now):
            raise RaceLost
