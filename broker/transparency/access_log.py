"""The resident's own log: a page of cards, newest first, each with what proves it.

Rules: only the person's own chains are read (`own` not with a representative's eyes), so that what
waits for its opening cannot appear; every entry is listed, over as many pages as it takes; the
cursor is opaque and authenticated; reading writes no entry. Source: AVG 12, 15; audit-log.md
("Chains").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection

from broker.audit.payloads import Record, parse_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.proofs import Proofs
from broker.audit.sealing import Sealing
from broker.pseudonyms.row_keys import CURSOR, RowKeys
from broker.transparency.cards import Line, build_card
from broker.transparency.pages import LOOK_AHEAD, CardPage
from datwat.party.errors import PartyError
from datwat.protocol.acts import Page
from datwat.protocol.entry import parse_entry
from datwat.protocol.messages import OutcomeCore
from datwat.protocol.sealing import UnsealError
from datwat.protocol.values import decode_bytes, encode_bytes

_BATCH = 50
# So many more than cards, that what stands on the card of another is found at the first read.
_AHEAD = 4
_INDEX_SIZE = 8


class CursorError(PartyError):
    """A cursor that this broker did not give for this person."""

    code = "cursor_invalid"
    default_detail = "The page cannot be continued from there: begin at the newest."


class AccessLogReader:
    """Reads what a resident may see of the log."""

    def __init__(
        self, store: LogStore, sealing: Sealing, proofs: Proofs, row_key: RowKeys | bytes
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._proofs = proofs
        self._keys = RowKeys.of(row_key)

    def read_page(
        self,
        conn: Connection,
        subject_id: bytes,
        *,
        with_own: bool,
        asked: Page,
        rid: bytes,
    ) -> bytes:
        """Return the JSON of a `ProvedLog`: one page under the newest signed checkpoint.

        Where a `number` is asked it is the card of that entry alone: no card where the entry is
        nobody's, another's, or one that waits, as where there is none at all.

        Raises:
            CursorError.
        """
        head = self._proofs.read_head()
        audiences = ("open", "own") if with_own else ("open",)
        page, is_erased = self._fill_page(conn, subject_id, audiences, asked, head.size)
        members: dict[str, Any] = {
            "v": 1,
            "rid": encode_bytes(rid),
            "checkpoint": head.note,
            "cards": [build_card(lines, head.size, self._proofs) for lines in page.cards],
            "next": self._seal_cursor(page, subject_id) if asked.number is None else None,
        }
        if is_erased:
            members["erased"] = True
        return orjson.dumps(members)

    def find_consent_id(
        self, conn: Connection, subject_id: bytes, number: int, *, with_own: bool
    ) -> bytes | None:
        """Return which consent the entry at an index tells of, if who looks could read it there."""
        row = self._store.find_entry(conn, number)
        audiences = ("open", "own") if with_own else ("open",)
        if row is None or row.subject_id != subject_id or row.audience not in audiences:
            return None
        (content,) = self._sealing.open_contents(conn, subject_id, [row])
        record = parse_payload(content.payload) if content else None
        told = record.told if record else None
        return told.detail.consent_id if told and told.detail else None

    def _fill_page(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: tuple[str, ...],
        asked: Page,
        size: int,
    ) -> tuple[CardPage, bool]:
        """Return what was asked for, and whether it is one entry whose contents are gone."""
        if asked.number is not None:
            if asked.number >= size:
                return CardPage(1, frozenset()), False
            return self._read_card(conn, subject_id, audiences, asked.number)
        before, skipped = (
            self._open_cursor(asked.before, subject_id)
            if asked.before
            else (size, frozenset[int]())
        )
        page = CardPage(asked.limit, skipped)
        first = min(_BATCH, asked.limit + _AHEAD)
        page.fill(self._read_lines(conn, subject_id, audiences, before, first))
        return page, False

    def _read_card(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: tuple[str, ...],
        number: int,
    ) -> tuple[CardPage, bool]:
        """Return the card on which an entry stands, and whether its contents are gone."""
        page = CardPage(1, frozenset())
        row = self._store.find_entry(conn, number)
        if row is None or row.subject_id != subject_id or row.audience not in audiences:
            return page, False
        (content,) = self._sealing.open_contents(conn, subject_id, [row])
        if content is None:
            return page, True
        told = parse_payload(content.payload)
        core = told.reopened.core if told.reopened else content.core
        top = self._find_outcome(conn, subject_id, audiences, number, core)
        page.fill(self._read_lines(conn, subject_id, audiences, top + 1, _AHEAD))
        return page, False

    def _find_outcome(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: tuple[str, ...],
        number: int,
        core: bytes,
    ) -> int:
        """Return the index of the outcome of a question, or the question's own without one."""
        digest, after = hashlib.sha256(core).digest(), number
        for _ in range(0, LOOK_AHEAD, _BATCH):
            rows = self._store.fetch_entries_after(conn, subject_id, audiences, after, limit=_BATCH)
            contents = self._sealing.open_contents(conn, subject_id, rows)
            for row, content in zip(rows, contents, strict=True):
                if content is None:
                    continue
                record = parse_payload(content.payload)
                line = _build_line(row, record, content.core, content.salt, content.payload)
                if line.told.event != "outcome":
                    continue
                if OutcomeCore.model_validate_json(line.told_core).core_hash == digest:
                    return row.index
            if len(rows) < _BATCH:
                break
            after = rows[-1].index
        return number

    def _read_lines(
        self,
        conn: Connection,
        subject_id: bytes,
        audiences: tuple[str, ...],
        before: int,
        batch: int,
    ) -> Iterator[Line]:
        """Yield the lines below an index, newest first; `batch` are read at once to begin with."""
        while True:
            rows = self._store.fetch_entries_of(
                conn, subject_id, audiences, limit=batch, before=before
            )
            contents = self._sealing.open_contents(conn, subject_id, rows)
            for row, content in zip(rows, contents, strict=True):
                if content is not None:  # else it was erased: nothing is left to show
                    record = parse_payload(content.payload)
                    yield _build_line(row, record, content.core, content.salt, content.payload)
            if len(rows) < batch:
                return
            before, batch = rows[-1].index, _BATCH

    def _seal_cursor(self, page: CardPage, subject_id: bytes) -> str | None:
        if page.before is None:
            return None
        indexes = (page.before, *sorted(page.shown))
        plain = b"".join(index.to_bytes(_INDEX_SIZE, "big") for index in indexes)
        return encode_bytes(self._keys.seal(CURSOR, plain, subject_id))

    def _open_cursor(self, cursor: str, subject_id: bytes) -> tuple[int, frozenset[int]]:
        try:
            plain = self._keys.unseal(CURSOR, decode_bytes(cursor), subject_id)
        except (UnsealError, ValueError):
            raise CursorError from None
        before, *shown = (
            int.from_bytes(plain[start : start + _INDEX_SIZE], "big")
            for start in range(0, len(plain), _INDEX_SIZE)
        )
        return before, frozenset(shown)


def _build_line(row: EntryRow, record: Record, core: bytes, salt: bytes, payload: bytes) -> Line:
    return Line(row, parse_entry(row.entry).ref, record, record.told, core, salt, payload)
