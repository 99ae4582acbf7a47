"""The table of decisions on stated facts (port: `broker.exchange.access.DecisionLog`).

Rules: a row is sealed, bound to its number, and chained to the row before by an HMAC under a key of
its own, so that one that was taken out, put in or changed shows; the oldest rows end, so that the
chain begins where the oldest kept one is. Only the log's writer appends, one after another.
Source: Authorization Decision Log 0.0.1 (append-only, hash-chained, no sampling).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from broker.adapters.other_tables import DecisionRecord
from broker.adapters.tables import table_of
from broker.exchange.access import ChainCheck, LoggedDecision
from broker.pseudonyms.row_keys import DECISION_CHAIN, DECISIONS, RowKeys
from datwat.protocol.sealing import UnsealError, build_cipher, seal, unseal

_T = table_of(DecisionRecord)
_NEWEST = select(_T.c.number, _T.c.chained).order_by(_T.c.number.desc()).limit(1)
_ALL = select(_T.c.number, _T.c.chained, _T.c.sealed).order_by(_T.c.number)
_INSERT = insert(_T)
_AT_ONCE = 500
_BEGIN = bytes(32)


class SqlDecisionLog:
    """Decisions in the broker's database."""

    def __init__(self, row_key: RowKeys | bytes) -> None:
        """Take what seals and what chains: keys that outlive the row key, as the chain does."""
        keys = RowKeys.of(row_key)
        self._cipher = build_cipher(keys.derive_kept(DECISIONS))
        self._chain_key = keys.derive_kept(DECISION_CHAIN)

    def write(self, conn: Connection, decisions: Sequence[LoggedDecision]) -> None:
        """Append decisions in the caller's transaction, which no other appends beside."""
        row = conn.execute(_NEWEST).first()
        number, chained = (row.number, bytes(row.chained)) if row else (0, _BEGIN)
        for decision in decisions:
            number += 1
            sealed = seal(self._cipher, decision.to_json(), _build_aad(number))
            chained = self._chain(chained, number, sealed)
            values = {
                "number": number,
                "until_at": decision.until_at,
                "chained": chained,
                "sealed": sealed,
            }
            conn.execute(_INSERT, values)

    def check(self, conn: Connection) -> ChainCheck:
        """Walk along everything that is kept: numbers without a gap, links, and what opens."""
        count, first, last, chained = 0, None, None, None
        for row in conn.execute(_ALL).yield_per(_AT_ONCE):
            sealed = bytes(row.sealed)
            follows = last is None or row.number == last + 1
            linked = chained is None or hmac.compare_digest(
                self._chain(chained, row.number, sealed), bytes(row.chained)
            )
            if not (follows and linked and self._opens(row.number, sealed)):
                return ChainCheck(count, first, last, row.number)
            count, last, chained = count + 1, row.number, bytes(row.chained)
            first = first or row.number
        return ChainCheck(count, first, last, None)

    def read(self, conn: Connection) -> list[bytes]:
        """Return every record that is kept, oldest first, as JSON; raise UnsealError."""
        return [
            unseal(self._cipher, bytes(row.sealed), _build_aad(row.number))
            for row in conn.execute(_ALL)
        ]

    def _chain(self, before: bytes, number: int, sealed: bytes) -> bytes:
        link = before + number.to_bytes(8, "big") + hashlib.sha256(sealed).digest()
        return hmac.digest(self._chain_key, link, "sha256")

    def _opens(self, number: int, sealed: bytes) -> bool:
        try:
            unseal(self._cipher, sealed, _build_aad(number))
        except UnsealError:
            return False
        return True


def _build_aad(number: int) -> bytes:
    return b"decision_log\0" + number.to_bytes(8, "big")
