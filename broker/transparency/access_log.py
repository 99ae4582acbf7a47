"""The resident's own log: a page of cards, newest first, each with what proves it.

Rules: only the person's own chains are read (`own` not with a representative's eyes), so that what
waits for its opening cannot appear; the outcome stands on its question's card; the cursor is opaque
and authenticated; reading writes no entry. Source: AVG 12, 15; audit-log.md ("Chains").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from broker.audit.payloads import Record, parse_payload
from broker.audit.ports import EntryRow, LogStore
from broker.audit.proofs import Proofs
from broker.audit.sealing import Sealing
from broker.purposes.wording import Texts
from broker.transparency.cards import Line, build_card
from datwat.party.errors import PartyError
from datwat.protocol.access_log import AccessLog, Sentence
from datwat.protocol.entry import parse_entry
from datwat.protocol.sealing import UnsealError, derive_key, seal, unseal
from datwat.protocol.values import decode_bytes, encode_bytes

_BATCH = 50
_LOOK_AHEAD = 300
_MOST_SHOWN = 8
_INDEX_SIZE = 8
_RID_SIZE = 16


class CursorError(PartyError):
    """A cursor that this broker did not give for this person."""

    code = "cursor_invalid"
    default_detail = "The page cannot be continued from there: begin at the newest."


@dataclass(slots=True)
class _Page:
    """Cards being collected: lines by `rid`, and those whose question is still to come."""

    limit: int
    skipped: set[bytes]
    groups: dict[bytes, list[Line]] = field(default_factory=dict)
    waiting: set[bytes] = field(default_factory=set)
    before: int | None = None


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
        before, skipped = self._open_cursor(cursor, subject_id) if cursor else (head.size, set())
        audiences = ("open", "own") if with_own else ("open",)
        page = _Page(limit, skipped)
        for count, line in enumerate(self._read_lines(conn, subject_id, audiences, before)):
            if _add(page, line) or count >= _LOOK_AHEAD:
                break
        cards = tuple(
            build_card(lines, head.size, self._proofs, texts, titles)
            for lines in page.groups.values()
        )
        return AccessLog(
            v=1,
            rid=rid,
            checkpoint=head.note,
            cards=cards,
            next=self._seal_cursor(page, subject_id),
        )

    def find_rid(self, conn: Connection, subject_id: bytes, number: int) -> bytes | None:
        """Return the `rid` of the entry at an index, if it is this person's and can be opened."""
        row = self._store.find_entry(conn, number)
        if row is None or row.subject_id != subject_id or row.audience not in ("open", "own"):
            return None
        (content,) = self._sealing.open_contents(conn, subject_id, [row])
        return parse_payload(content.payload).rid if content else None

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

    def _seal_cursor(self, page: _Page, subject_id: bytes) -> str | None:
        if page.before is None:
            return None
        shown = [
            rid
            for rid, lines in page.groups.items()
            if lines[-1].row.index < page.before and len(lines) > 1
        ]
        plain = page.before.to_bytes(_INDEX_SIZE, "big") + b"".join(
            [*shown, *page.skipped][:_MOST_SHOWN]
        )
        return encode_bytes(seal(self._key, plain, subject_id))

    def _open_cursor(self, cursor: str, subject_id: bytes) -> tuple[int, set[bytes]]:
        try:
            plain = unseal(self._key, decode_bytes(cursor), subject_id)
        except (UnsealError, ValueError):
            raise CursorError from None
        rids = plain[_INDEX_SIZE:]
        shown = {rids[start : start + _RID_SIZE] for start in range(0, len(rids), _RID_SIZE)}
        return int.from_bytes(plain[:_INDEX_SIZE], "big"), shown


def _build_line(row: EntryRow, record: Record, core: bytes, salt: bytes, payload: bytes) -> Line:
    told = parse_payload(record.reopened.payload) if record.reopened else record
    return Line(row, parse_entry(row.entry).ref, record, told, core, salt, payload)


def _add(page: _Page, line: Line) -> bool:
    """Put a line on its card; return True when the page is complete."""
    rid = line.told.rid
    is_outcome = line.told.event == "outcome"
    if rid in page.groups:
        page.groups[rid].append(line)
        page.waiting -= set() if is_outcome else {rid}
        return page.before is not None and not page.waiting
    if rid in page.skipped:
        page.skipped.discard(rid)
        return False
    if len(page.groups) == page.limit:
        if page.before is None:
            page.before = line.row.index + 1
        return not page.waiting
    page.groups[rid] = [line]
    if is_outcome:
        page.waiting.add(rid)
    return False
