"""The register of roles and its named tokens, as one running broker keeps them.

Rules: whether somebody may act is read anew in every act; an administrator's act on a role is a
statement on the log that names nobody: role, organisation, and an approver's key. A token is shown
once and found by its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import Connection

from broker.audit.log import Log
from broker.audit.records import Appendable, Job, Statement
from broker.purposes.drafts import ID_LENGTH, OfficerStore, TokenRow, TokenWords
from broker.purposes.life_errors import NumberFoundError
from broker.purposes.roles import (
    KEPT,
    LONGEST_TOKEN_DAYS,
    Acting,
    Carried,
    EndAsked,
    GiveAsked,
    Officer,
    OfficerTokenError,
    OfficerTokenExistsError,
    OrganisationId,
    Role,
    RoleMissingError,
    RoleName,
    RoleRow,
    derive_held,
    find_kid,
    require_endable,
    require_giveable,
    require_role,
)
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.free_text import has_number
from datwat.protocol.values import Slug, StaffId, Value

_TOKEN_BYTES = 32
Reading = Callable[[], AbstractContextManager[Connection]]


class TokenAsked(Value):
    """A token that an administrator gives to somebody who holds the role already."""

    name: Slug
    organisation: OrganisationId
    role: RoleName
    staff: StaffId = Field(repr=False)
    days: int = Field(default=90, ge=1, le=LONGEST_TOKEN_DAYS)


@dataclass(frozen=True, slots=True)
class Ended:
    """A role that ended, and what its approvals carry that is still to come."""

    role: Role
    kept: tuple[Carried, ...] = field(default=())


class RoleRegister:
    """Who holds which role; gives and ends roles and tokens."""

    def __init__(
        self,
        store: OfficerStore,
        log: Log,
        reading: Reading,
        *,
        list_policy_kids: Callable[[], frozenset[str]],
        clock: Callable[[], datetime],
    ) -> None:
        """Keep the ports; `list_policy_kids` are the policy keys that the trust list names now."""
        self._store = store
        self._log = log
        self._reading = reading
        self._list_policy_kids = list_policy_kids
        self._clock = clock
        self._find_carried: Callable[[Connection], Sequence[Carried]] = lambda _conn: ()

    def watch_approvals(self, find_carried: Callable[[Connection], Sequence[Carried]]) -> None:
        """Ask this, before an approver's role ends, what approvals carry that is still to come."""
        self._find_carried = find_carried

    def list_rows(self) -> Sequence[RoleRow]:
        """Return every role that is held, or ended and still told."""
        with self._reading() as conn:
            return self._store.list_roles(conn, self._clock())

    def read_rows(self, conn: Connection) -> Sequence[RoleRow]:
        """Return the same within a transaction."""
        return self._store.list_roles(conn, self._clock())

    def find_roles(self, staff: str) -> frozenset[Role]:
        """Return the roles that the register says this person holds now."""
        return derive_held(staff, self.list_rows())

    def find_kid(self, staff: str) -> str | None:
        """Return the thumbprint of this approver's policy key."""
        return find_kid(staff, self.list_rows())

    def require(self, acting: Acting, *names: RoleName) -> Role:
        """Return a role of these names that this person claims and holds; RoleMissingError."""
        return require_role(acting, self.list_rows(), names)

    async def give(self, asked: GiveAsked) -> RoleRow:
        """Give a role. Raises RoleExistsError, ApproverKeyError, LogError."""
        now = self._clock()
        row = RoleRow(
            id=os.urandom(ID_LENGTH),
            role=Role(asked.organisation, asked.role),
            officer=Officer(staff=asked.staff),
            kid=asked.key,
            given_at=now,
            ended_at=None,
            until_at=None,
        )

        def work(conn: Connection) -> Sequence[Appendable]:
            require_giveable(asked, self.read_rows(conn), self._list_policy_kids())
            self._store.add_role(conn, row)
            return [_state("role_given", row.role, now, key=row.kid)]

        await self._log.append(Job(work))
        return row

    async def end(self, asked: EndAsked) -> Ended:
        """End a role at once.

        Raises NumberFoundError, RoleUnknownError, LastApproverError, ApprovalsWaitingError,
        LogError.
        """
        if has_number(asked.keep_approvals or ""):
            raise NumberFoundError
        now = self._clock()
        ended: list[Ended] = []

        def work(conn: Connection) -> Sequence[Appendable]:
            rows = self.read_rows(conn)
            row, kept = require_endable(asked, rows, self._find_carried(conn))
            officer = Officer(staff=asked.staff, reason=asked.keep_approvals if kept else None)
            over = RoleRow(
                row.id, row.role, officer, row.kid, row.given_at, now, until_at=now + KEPT
            )
            self._store.end_role(conn, over)
            self._drop_tokens(conn, asked, now)
            ended.append(Ended(row.role, kept))
            carried = sorted(one.digest for one in kept)
            return [_state("role_ended", row.role, now, key=row.kid, approvals_kept=carried)]

        await self._log.append(Job(work))
        return ended[-1]

    async def create_token(self, asked: TokenAsked) -> str:
        """Return a fresh token for somebody who holds the role; it is shown this once.

        Raises RoleMissingError, OfficerTokenError where the name is taken, LogError.
        """
        now, token = self._clock(), secrets.token_urlsafe(_TOKEN_BYTES)
        words = TokenWords(
            name=asked.name, staff=asked.staff, organisation=asked.organisation, role=asked.role
        )
        row = TokenRow(_hash(token), words, now, now + timedelta(days=asked.days))

        def work(conn: Connection) -> Sequence[Appendable]:
            held = derive_held(asked.staff, self.read_rows(conn))
            if Role(asked.organisation, asked.role) not in held:
                raise RoleMissingError("This person does not hold the role: give it first.")
            if any(one.words.name == asked.name for one in self._store.list_tokens(conn, now)):
                raise OfficerTokenExistsError
            self._store.add_token(conn, row)
            return []

        await self._log.append(Job(work))
        return token

    async def revoke_token(self, name: str) -> None:
        """End a token at once. Raises OfficerTokenError, LogError."""
        now = self._clock()

        def work(conn: Connection) -> Sequence[Appendable]:
            found = [one for one in self._store.list_tokens(conn, now) if one.words.name == name]
            if not found:
                raise OfficerTokenError
            self._store.drop_token(conn, found[0].token_hash)
            return []

        await self._log.append(Job(work))

    def list_tokens(self) -> Sequence[TokenRow]:
        """Return the tokens that are not over."""
        with self._reading() as conn:
            return self._store.list_tokens(conn, self._clock())

    async def find_holder(self, token: str) -> TokenRow | None:
        """Return whose token this is, if it is one that is not over."""
        return await asyncio.to_thread(self._find_token, token)

    def _find_token(self, token: str) -> TokenRow | None:
        with self._reading() as conn:
            return self._store.find_token(conn, _hash(token), self._clock())

    def _drop_tokens(self, conn: Connection, asked: EndAsked, now: datetime) -> None:
        """Destroy the tokens that spoke for a role that ends."""
        for one in self._store.list_tokens(conn, now):
            words = one.words
            if (words.staff, words.organisation, words.role) == (
                asked.staff,
                asked.organisation,
                asked.role,
            ):
                self._store.drop_token(conn, one.token_hash)


def _state(kind: str, role: Role, now: datetime, **members: Any) -> Statement:  # noqa: ANN401 - JSON
    """Return the public statement of an act on a role: it names nobody."""
    said = {"v": 1, "type": kind, "organisation": role.organisation, "role": role.name}
    return Statement(encode_canonical({**said, **members}), now)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
