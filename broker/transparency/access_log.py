"""The resident's own log: a page of cards, newest first, each with what proves it.

Rules: only the person's own chains are read (`own` not with a representative's eyes), so that what
waits for its opening cannot appear; every entry is listed, over as many pages as it takes; the
cursor is opaque and authenticated; reading writes no entry. Source: AVG 12, 15; audit-log.md
("Chains").
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from broker.audit.payloads import Record, parse_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.proofs import Proofs
from broker.audit.sealing import Sealing
from broker.transparency.cards import Line, build_card
from broker.transparency.pages import CardPage
from datwat.party.errors import PartyError
from datwat.protocol.access_log import AccessLog, Sentence
from datwat.protocol.entry import parse_entry
from datwat.protocol.sealing import UnsealError, derive_key, seal, unseal
from datwat.protocol.texts import Texts
from datwat.protocol.values import decode_bytes, encode_bytes

_BATCH = 50
_INDEX_SIZE = 8


class CursorError(PartyError):
    """A cursor that this broker did not give for this person."""

    code = "cursor_invalid"
    default_detail = "The page cannot be continued from there: begin at the newest."


class AccessLogReader:
    """Reads what a resident may see of the log."""

    def __init__(self, store: LogStore, sealing: Sealing, proofs: Proofs, row_key: bytes) -> None:
        self._store = store
        self._sealing = sealing
        self._proofs = proofs
        self._key = derive_key(row_key, b"cursor")

    def read_page(
        self,
        conn: Connection,
        subject_id: bytes,
        *,
        with_own: bool,
        limit: int,
        cursor: str | None,
        rid: bytes,
        texts: Texts,
        titles: dict[str, Sentence],
    ) -> AccessLog:
        """Return the cards of one page under the newest signed checkpoint; raise CursorError."""
        head = self._proofs.read_head()
        before, skipped = (
            self._open_cursor(cursor, subject_id) if cursor else (head.size, frozenset[int]())
        )
        audiences = ("open", "own") if with_own else ("open",)
        page = CardPage(limit, skipped)
        page.fill(self._read_lines(conn, subject_id, audiences, before))
        cards = tuple(
            build_card(lines, head.size, self._proofs, texts, titles) for lines in page.cards
        )
        return AccessLog(
            v=1,
            rid=rid,
            checkpoint=head.note,
            cards=cards,
            next=self._seal_cursor(page, subject_id),
        )

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
        told = _find_told(record) if record else None
        return told.detail.consent_id if told and told.detail else None

    def _read_lines(
        self, conn: Connection, subject_id: bytes, audiences: tuple[str, ...], before: int
    ) -> Iterator[Line]:
        while True:
            rows = self._store.fetch_entries_of(
                conn, subject_id, audiences, limit=_BATCH, before=before
            )
            contents = self._sealing.open_contents(conn, subject_id, rows)
            for row, content in zip(rows, contents, strict=True):
                if content is not None:  # else it was erased: nothing is left to show
                    record = parse_payload(content.payload)
                    yield _build_line(row, record, content.core, content.salt, content.payload)
            if len(rows) < _BATCH:
                return
            before = rows[-1].index

    def _seal_cursor(self, page: CardPage, subject_id: bytes) -> str | None:
        if page.before is None:
            return None
        indexes = (page.before, *sorted(page.shown))
        plain = b"".join(index.to_bytes(_INDEX_SIZE, "big") for index in indexes)
        return encode_bytes(seal(self._key, plain, subject_id))

    def _open_cursor(self, cursor: str, subject_id: bytes) -> tuple[int, frozenset[int]]:
        try:
            plain = unseal(self._key, decode_bytes(cursor), subject_id)
        except (UnsealError, ValueError):
            raise CursorError from None
        before, *shown = (
            int.from_bytes(plain[start : start + _INDEX_SIZE], "big")
            for start in range(0, len(plain), _INDEX_SIZE)
        )
        return before, frozenset(shown)


def _build_line(row: EntryRow, record: Record, core: bytes, salt: bytes, payload: bytes) -> Line:
    told = _find_told(record)
    return Line(row, parse_entry(row.entry).ref, record, told, core, salt, payload)


def _find_told(record: Record) -> Record:
    return parse_payload(record.reopened.payload) if record.reopened else record
