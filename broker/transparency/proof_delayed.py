"""What the auditor's bundle shows beside each delayed entry: its term, its opening, its end.

Rules: nobody's contents are shown: of an entry the hashes of its halves, of what declares, moves,
opens or ends it the core that says so, which names nobody. A term is that of the special situation
with which the entry opens, as declared to the very person whom it is about, so that no two persons
are tied together by it. Source: house reference "audit-log", Chains; AVG 5(1)(c).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson
from sqlalchemy import Connection

from broker.audit.ports import EntryRow
from broker.audit.records import DELAYED_CHAIN_ID
from broker.audit.sealing import Sealing
from broker.transparency.proof_reading import Beside, GatheredRoll, Stated, find_opened
from datwat.protocol.completeness import MAX_TERMS
from datwat.protocol.entry import Content
from datwat.protocol.log_cores import find_ended, find_term


class FetchRows(Protocol):
    """Returns a person's entries of some chains below an index, the oldest first."""

    def __call__(
        self, conn: Connection, subject_id: bytes, audiences: Sequence[str], below: int
    ) -> list[EntryRow]:
        """Return the rows."""
        ...


@dataclass(slots=True)
class _Person:
    """What one person's chains say of what waits or waited, by situation and by index."""

    situations: dict[int, str] = field(default_factory=dict, repr=False)
    terms: defaultdict[str, list[Stated]] = field(
        default_factory=lambda: defaultdict(list), repr=False
    )
    openings: dict[int, Stated] = field(default_factory=dict, repr=False)
    ended: dict[int, Stated] = field(default_factory=dict, repr=False)

    def find(self, index: int) -> Beside:
        """Return what belongs to the delayed entry at an index."""
        opening = self.openings.get(index)
        terms = self.terms.get(self.situations.get(index, ""), ())[-MAX_TERMS:]
        # A renewal alone tells nothing of an entry before it: its declaration has ended.
        is_declared = bool(terms) and terms[0].row.index <= index
        return Beside(
            terms=tuple(terms) if is_declared else (),
            opening=opening,
            ended=self.ended.get(index),
        )


class DelayedReading:
    """Reads the chains of those about whom something waits or waited."""

    def __init__(self, sealing: Sealing, fetch_rows: FetchRows) -> None:
        self._sealing = sealing
        self._fetch_rows = fetch_rows

    def find_beside(
        self, conn: Connection, rolls: Sequence[GatheredRoll], below: int
    ) -> dict[int, Beside]:
        """Return what is shown beside each entry of the auditor's rolls, by its index."""
        rows: defaultdict[bytes, list[int]] = defaultdict(list)
        for row in (row for roll in rolls for row in roll.rows):
            # Of whom nothing is left nothing is found.
            if row.subject_id is not None and row.subject_id != DELAYED_CHAIN_ID:
                rows[row.subject_id].append(row.index)
        found: dict[int, Beside] = {}
        for subject_id, indexes in rows.items():
            person = self._read_person(conn, subject_id, below)
            found |= {index: person.find(index) for index in indexes}
        return found

    def _read_person(self, conn: Connection, subject_id: bytes, below: int) -> _Person:
        person = _Person()
        for row, content in self._read(conn, subject_id, ("delayed",), below):
            mark = self._sealing.open_replay_input(conn, row)
            situation = orjson.loads(mark).get("situation") if mark is not None else None
            if situation is None:
                continue
            person.situations[row.index] = situation
            if b'"term"' in content.core and find_term(content.core) is not None:
                person.terms[situation].append(Stated(row, content))
        for row, content in self._read(conn, subject_id, ("open", "own"), below):
            opened = find_opened(content)
            if opened is not None:
                person.openings[opened.index] = Stated(row, content)
            ended = find_ended(content.core) if b'"ended"' in content.core else None
            for index in ended.entries if ended is not None else ():
                person.ended[index] = Stated(row, content)
        return person

    def _read(
        self, conn: Connection, subject_id: bytes, audiences: Sequence[str], below: int
    ) -> Iterator[tuple[EntryRow, Content]]:
        rows = self._fetch_rows(conn, subject_id, audiences, below)
        contents = self._sealing.open_contents(conn, subject_id, rows)
        for row, content in zip(rows, contents, strict=True):
            if content is not None:
                yield row, content


def list_stated(beside: Iterable[Beside]) -> Iterator[int]:
    """Yield where the entries lie of which a bundle needs a path."""
    for one in beside:
        yield from (stated.row.index for stated in one.terms)
        yield from (each.row.index for each in (one.opening, one.ended) if each is not None)
