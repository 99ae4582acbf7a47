"""Where the register of roles and the named tokens lie (port: `broker.purposes.drafts`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from broker.adapters import rows
from broker.adapters.purpose_tables import OfficerRoleRecord, OfficerTokenRecord
from broker.adapters.tables import table_of
from broker.purposes.drafts import TokenRow, TokenWords
from broker.purposes.roles import Officer, Role, RoleRow

_R = table_of(OfficerRoleRecord)
_LIST_ROLES = (
    select(_R)
    .where(or_(_R.c.until_at.is_(None), _R.c.until_at > bindparam("b_now")))
    .order_by(_R.c.organisation, _R.c.role, _R.c.given_at, _R.c.id)
)
_INSERT_ROLE = insert(_R)
_END_ROLE = (
    update(_R)
    .where(_R.c.id == bindparam("b_id"), _R.c.ended_at.is_(None))
    .values(
        ended_at=bindparam("b_ended"),
        until_at=bindparam("b_until"),
        sealed=bindparam("b_sealed"),
    )
)

_T = table_of(OfficerTokenRecord)
_STANDING = _T.c.until_at > bindparam("b_now")
_LIST_TOKENS = select(_T).where(_STANDING).order_by(_T.c.created_at, _T.c.token_hash)
_FIND_TOKEN = select(_T).where(_T.c.token_hash == bindparam("b_hash"), _STANDING)
_INSERT_TOKEN = insert(_T)
_DROP_TOKEN = delete(_T).where(_T.c.token_hash == bindparam("b_hash"))


class SqlOfficers:
    """Roles and tokens of officers in the broker's database."""

    def __init__(self, sealer: rows.RowSealer) -> None:
        """Keep what seals the words of a row."""
        self._sealer = sealer

    def list_roles(self, conn: Connection, now: datetime) -> list[RoleRow]:
        """Return every role that is held, or ended and not over yet."""
        return [self._build_role(row) for row in conn.execute(_LIST_ROLES, {"b_now": now})]

    def add_role(self, conn: Connection, row: RoleRow) -> None:
        """Write a role."""
        values = {
            "id": row.id,
            "organisation": row.role.organisation,
            "role": row.role.name,
            "kid": row.kid,
            "given_at": row.given_at,
            "ended_at": row.ended_at,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_R.name, row.officer, row.id),
        }
        conn.execute(_INSERT_ROLE, values)

    def end_role(self, conn: Connection, row: RoleRow) -> None:
        """Replace a row by the same with its end; raise RaceLost where it ended before."""
        values = {
            "b_id": row.id,
            "b_ended": row.ended_at,
            "b_until": row.until_at,
            "b_sealed": self._sealer.seal(_R.name, row.officer, row.id),
        }
        rows.write(conn, _END_ROLE, values)

    def add_token(self, conn: Connection, row: TokenRow) -> None:
        """Write a token."""
        values = {
            "token_hash": row.token_hash,
            "created_at": row.created_at,
            "until_at": row.until_at,
            "sealed": self._sealer.seal(_T.name, row.words, row.token_hash),
        }
        conn.execute(_INSERT_TOKEN, values)

    def drop_token(self, conn: Connection, token_hash: bytes) -> None:
        """Destroy a token."""
        conn.execute(_DROP_TOKEN, {"b_hash": token_hash})

    def find_token(self, conn: Connection, token_hash: bytes, now: datetime) -> TokenRow | None:
        """Return the token of this hash, if it is not over."""
        found = conn.execute(_FIND_TOKEN, {"b_hash": token_hash, "b_now": now}).first()
        return None if found is None else self._build_token(found)

    def list_tokens(self, conn: Connection, now: datetime) -> list[TokenRow]:
        """Return the tokens that are not over."""
        return [self._build_token(row) for row in conn.execute(_LIST_TOKENS, {"b_now": now})]

    def _build_role(self, row: rows.AnyRow) -> RoleRow:
        role_id = bytes(row.id)
        return RoleRow(
            id=role_id,
            role=Role(row.organisation, row.role),
            officer=self._sealer.unseal(_R.name, Officer, row.sealed, role_id),
            kid=row.kid,
            given_at=row.given_at,
            ended_at=row.ended_at,
            until_at=row.until_at,
        )

    def _build_token(self, row: rows.AnyRow) -> TokenRow:
        token_hash = bytes(row.token_hash)
        words = self._sealer.unseal(_T.name, TokenWords, row.sealed, token_hash)
        return TokenRow(token_hash, words, row.created_at, row.until_at)
