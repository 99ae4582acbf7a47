"""Where draws and findings lie (port: `broker.transparency.reviewing.OversightRows`)."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import Connection, bindparam, insert, select, update

from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import DrawRecord, FindingRecord
from broker.adapters.rows import RowSealer, write
from broker.transparency.oversight import ListCode
from broker.transparency.reviewing import Finding, FindingOutcome, FindingWords
from broker.transparency.sampling import Draw, DrawWords

_D, _F = table_of(DrawRecord), table_of(FindingRecord)
_LIST_DRAWS = (
    select(_D)
    .where(_D.c.until_at > bindparam("b_now"))
    .order_by(_D.c.announced_at.desc(), _D.c.first.desc(), _D.c.id)
    .limit(100)
)
_CLOSE_DRAW = (
    update(_D)
    .where(_D.c.id == bindparam("b_id"), _D.c.drawn_at.is_(None))
    .values(
        drawn_at=bindparam("b_now"),
        size=bindparam("b_size"),
        root=bindparam("b_root"),
        sealed=bindparam("b_sealed"),
    )
)
_LIST_FINDINGS = (
    select(_F)
    .where(_F.c.until_at > bindparam("b_now"))
    .order_by(_F.c.found_at.desc(), _F.c.id)
    .limit(bindparam("b_limit"))
)


class SqlOversightRows:
    """Implements `OversightRows`; the words lie sealed, each bound to its row."""

    def __init__(self, sealer: RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def add_draw(self, conn: Connection, draw: Draw) -> None:
        """Write a draw whose seed is stated now."""
        values = {
            "id": draw.id,
            "announced_at": draw.announced_at,
            "first": draw.first,
            "until_at": draw.until_at,
            "sealed": self._seal(draw),
        }
        conn.execute(insert(_D), values)

    def close_draw(self, conn: Connection, draw: Draw) -> None:
        """Write what was drawn; raise RaceLost where somebody else drew it."""
        given = {"b_id": draw.id, "b_now": draw.drawn_at, "b_size": draw.size}
        write(conn, _CLOSE_DRAW, {**given, "b_root": draw.root, "b_sealed": self._seal(draw)})

    def list_draws(self, conn: Connection, now: datetime) -> list[Draw]:
        """Return the draws, the newest first."""
        found = []
        for row in conn.execute(_LIST_DRAWS, {"b_now": now}):
            draw_id = bytes(row.id)
            words = self._sealer.unseal(_D.name, DrawWords, bytes(row.sealed), draw_id)
            found.append(
                Draw(
                    id=draw_id,
                    announced_at=row.announced_at,
                    first=row.first,
                    until_at=row.until_at,
                    seed=words.seed,
                    drawn_at=row.drawn_at,
                    size=row.size,
                    root=bytes(row.root) if row.root is not None else None,
                    chosen=words.chosen,
                )
            )
        return found

    def add_finding(self, conn: Connection, finding: Finding) -> None:
        """Write a finding."""
        values = {
            "id": finding.id,
            "review": finding.review,
            "found_at": finding.found_at,
            "until_at": finding.until_at,
            "outcome": finding.outcome,
            "sealed": self._sealer.seal(_F.name, finding.words, finding.id),
        }
        conn.execute(insert(_F), values)

    def list_findings(self, conn: Connection, now: datetime, limit: int) -> list[Finding]:
        """Return the findings, the newest first."""
        return [
            Finding(
                id=bytes(row.id),
                review=cast("ListCode", row.review),
                found_at=row.found_at,
                until_at=row.until_at,
                outcome=cast("FindingOutcome", row.outcome),
                words=self._sealer.unseal(_F.name, FindingWords, bytes(row.sealed), bytes(row.id)),
            )
            for row in conn.execute(_LIST_FINDINGS, {"b_now": now, "b_limit": limit})
        ]

    def _seal(self, draw: Draw) -> bytes:
        return self._sealer.seal(_D.name, DrawWords(seed=draw.seed, chosen=draw.chosen), draw.id)
