"""Where clients, tokens and used assertions lie (port: `broker.exchange.access.AccessStore`).

Rule: a token is looked for by its SHA-256 and compared in constant time; what is over is absent.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from broker.adapters.other_tables import AssertionRecord, ClientRecord, TokenRecord
from broker.adapters.rows import build_insert, is_written
from broker.adapters.tables import table_of
from broker.exchange.access import AccessClient, Grant

_C, _T, _A = table_of(ClientRecord), table_of(TokenRecord), table_of(AssertionRecord)
_CLIENTS = select(_C.c.client_id, _C.c.partner, _C.c.jwk, _C.c.since_at, _C.c.until_at).where(
    _C.c.until_at > bindparam("b_now")
)
_FIND_CLIENT = _CLIENTS.where(_C.c.client_id == bindparam("b_client"))
_LIST_CLIENTS = _CLIENTS.order_by(_C.c.client_id)
_ADD_CLIENT = build_insert(_C)
_END_CLIENT = delete(_C).where(_C.c.client_id == bindparam("b_client"))
_END_TOKENS = delete(_T).where(_T.c.client_id == bindparam("b_client"))
_ADD_TOKEN = build_insert(_T)
_FIND_TOKEN = select(_T.c.token_hash, _T.c.client_id, _T.c.partner, _T.c.until_at).where(
    _T.c.token_hash == bindparam("b_hash"), _T.c.until_at > bindparam("b_now")
)
_SPEND = build_insert(_A)


class SqlAccess:
    """Clients, tokens and assertions in the broker's database."""

    def find_client(self, conn: Connection, client_id: str, now: datetime) -> AccessClient | None:
        """Return the client, if its time is not over."""
        row = conn.execute(_FIND_CLIENT, {"b_client": client_id, "b_now": now}).first()
        return _build_client(row) if row else None

    def list_clients(self, conn: Connection, now: datetime) -> Sequence[AccessClient]:
        """Return every client whose time is not over, by id."""
        return [_build_client(row) for row in conn.execute(_LIST_CLIENTS, {"b_now": now})]

    def add_client(self, conn: Connection, client: AccessClient) -> bool:
        """Keep a client; False where the id is taken."""
        values = {
            "client_id": client.client_id,
            "partner": client.partner,
            "jwk": client.jwk,
            "since_at": client.since_at,
            "until_at": client.until_at,
        }
        return is_written(conn, _ADD_CLIENT[conn.dialect.name], values)

    def end_client(self, conn: Connection, client_id: str) -> bool:
        """Forget a client and its tokens; False where there is none."""
        conn.execute(_END_TOKENS, {"b_client": client_id})
        return conn.execute(_END_CLIENT, {"b_client": client_id}).rowcount > 0

    def spend_assertion(self, conn: Connection, jti_hash: bytes, until_at: datetime) -> bool:
        """Keep that an assertion was used; False where it was before."""
        values = {"jti_hash": jti_hash, "until_at": until_at}
        return is_written(conn, _SPEND[conn.dialect.name], values)

    def add_token(self, conn: Connection, token_hash: bytes, grant: Grant) -> None:
        """Keep a token by its hash."""
        values = {
            "token_hash": token_hash,
            "client_id": grant.client_id,
            "partner": grant.partner,
            "until_at": grant.until_at,
        }
        conn.execute(_ADD_TOKEN[conn.dialect.name], values)

    def find_grant(self, conn: Connection, token_hash: bytes, now: datetime) -> Grant | None:
        """Return what a token stands for, if its time is not over."""
        row = conn.execute(_FIND_TOKEN, {"b_hash": token_hash, "b_now": now}).first()
        if row is None or not hmac.compare_digest(bytes(row.token_hash), token_hash):
            return None
        return Grant(row.client_id, row.partner, row.until_at)


def _build_client(row: Any) -> AccessClient:  # noqa: ANN401 - a row of either kind of read
    return AccessClient(row.client_id, row.partner, row.jwk, row.since_at, row.until_at)
