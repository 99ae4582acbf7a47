"""Who may do what at the broker: roles per organisation, and how long somebody holds one.

Rules: what counts is what the login (or a named token) says *and* the register holds; nobody
approves what they wrote themselves; an organisation never loses its last approver; an approver
whose approvals carry what is not yet in force keeps the role until it is, unless it is said why
those approvals stay. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self, get_args

from pydantic import Field

from datwat.party.errors import PartyError
from datwat.protocol.values import FormError, ShortText, StaffId, Value

RoleName = Literal[
    "author", "approver", "reviewer", "auditor", "operator", "data_protection_officer"
]
ROLES: tuple[RoleName, ...] = get_args(RoleName)
# Who does what, on pages, by command and by the officers' API alike: who reads what residents wait
# for and what stands out; who reads drafts and trials; who looks at an entry; who answers.
REVIEW_READERS: tuple[RoleName, ...] = ("reviewer", "auditor", "data_protection_officer")
DRAFT_READERS: tuple[RoleName, ...] = ("author", "approver", *REVIEW_READERS)
LOOKERS: tuple[RoleName, ...] = ("reviewer", "auditor")
ANSWERERS: tuple[RoleName, ...] = ("reviewer",)
# Why a key does not fit an approver.
_UNLISTED_KEY = (
    "The trust list names no such policy key: have it added (`datwat trust add`), or name another."
)
_TAKEN_KEY = (
    "This policy key is another approver's already (`datwat broker roles list`): each approver "
    "needs one of their own."
)
_OTHER_KEY = (
    "This person is an approver with another policy key (`datwat broker roles list`): name that "
    "one."
)
# A name such as `rijnstad`, or an OIN.
ORGANISATION_PATTERN = r"^[a-z0-9][a-z0-9-]{0,63}$"
OrganisationId = Annotated[str, Field(pattern=ORGANISATION_PATTERN)]
# How long the register still tells who had a role that ended: as long as what they signed is kept.
KEPT = timedelta(days=1_826)
LONGEST_TOKEN_DAYS = 366


class RoleMissingError(PartyError):
    """Without the role that this asks, by login and register together."""

    code = "role_missing"
    default_detail = "This needs a role that you do not hold: ask an administrator to give it."


class RoleExistsError(PartyError):
    """The register holds this role of this person already."""

    code = "role_exists"
    default_detail = "This person holds this role already: `datwat broker roles list` shows it."


class RoleUnknownError(PartyError):
    """No such role in the register."""

    code = "role_unknown"
    default_detail = "The register holds no such role: `datwat broker roles list` shows them."


class LastApproverError(PartyError):
    """The last approver of an organisation."""

    code = "last_approver"
    default_detail = (
        "This is the last approver of the organisation: give the role to somebody else first."
    )


class ApprovalsWaitingError(PartyError):
    """An approver whose approvals carry what is not yet in force; the detail lists it."""

    code = "approvals_waiting"
    default_detail = "Approvals of this person carry what is not yet in force."


class ApproverKeyError(PartyError):
    """An approver without a policy key of their own, or a key where none belongs."""

    code = "approver_key"
    default_detail = (
        "An approver has one policy key that the trust list names and nobody else has: name it "
        "with --key (the thumbprint, or a file with the public or private key). No other role does."
    )


class OfficerTokenError(PartyError):
    """A named token that is unknown or has ended."""

    code = "officer_token"
    default_detail = "There is no such token: `datwat broker tokens list` shows them."


class OfficerTokenExistsError(PartyError):
    """A named token of a name that is taken."""

    code = "officer_token_exists"
    default_detail = "There is a token of this name already: choose another, or revoke that one."


@dataclass(frozen=True, order=True, slots=True)
class Role:
    """A role for one organisation."""

    organisation: str
    name: RoleName

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the role of `organisation:role`; raise FormError for anything else."""
        organisation, _, name = text.rpartition(":")
        for known in ROLES:
            if name == known and organisation:
                return cls(organisation, known)
        raise FormError("Write a role as organisation, colon and role, such as rijnstad:approver.")

    def __str__(self) -> str:
        """Return `organisation:role`."""
        return f"{self.organisation}:{self.name}"


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts: their staff id, and the roles that login or token say; the register decides."""

    staff: str = field(repr=False)
    claims: frozenset[Role]


class Officer(Value):
    """The words of a row: who holds the role, and why what they approved stays after its end."""

    staff: StaffId = Field(repr=False)
    reason: ShortText | None = Field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One role of one person in the register; `kid` is the thumbprint of an approver's key."""

    id: bytes
    role: Role
    officer: Officer = field(repr=False)
    kid: str | None
    given_at: datetime
    ended_at: datetime | None
    until_at: datetime | None

    @property
    def staff(self) -> str:
        """Whose it is."""
        return self.officer.staff


class GiveAsked(Value):
    """A role that an administrator gives; `key` is the thumbprint of an approver's policy key."""

    organisation: OrganisationId
    role: RoleName
    staff: StaffId = Field(repr=False)
    key: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{43}$")


class EndAsked(Value):
    """A role that an administrator ends; `keep_approvals` says why approvals stay that wait."""

    organisation: OrganisationId
    role: RoleName
    staff: StaffId = Field(repr=False)
    keep_approvals: ShortText | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """A revision that is not yet in force and that these keys' approvals carry."""

    purpose: str
    digest: str
    valid_from: datetime
    kids: frozenset[str]


def derive_held(staff: str, rows: Iterable[RoleRow]) -> frozenset[Role]:
    """Return the roles that the register says this person holds."""
    return frozenset(row.role for row in rows if row.staff == staff and row.ended_at is None)


def find_kid(staff: str, rows: Iterable[RoleRow]) -> str | None:
    """Return the thumbprint of this person's policy key while they are an approver."""
    return next(
        (row.kid for row in rows if row.staff == staff and row.ended_at is None and row.kid), None
    )


def require_role(acting: Acting, rows: Sequence[RoleRow], names: Iterable[RoleName]) -> Role:
    """Return the first role of these names that is both claimed and held.

    Raises RoleMissingError.
    """
    wanted = tuple(names)
    held = acting.claims & derive_held(acting.staff, rows)
    for role in sorted(held):
        if role.name in wanted:
            return role
    raise RoleMissingError


def require_giveable(asked: GiveAsked, rows: Sequence[RoleRow], listed: frozenset[str]) -> None:
    """Raise RoleExistsError, or ApproverKeyError: an approver's key is listed and one person's.

    `listed` are the thumbprints of the policy keys that the trust list names.
    """
    role = Role(asked.organisation, asked.role)
    if role in derive_held(asked.staff, rows):
        raise RoleExistsError
    if (asked.role == "approver") != (asked.key is not None):
        raise ApproverKeyError
    if asked.key is None:
        return
    others = {row.kid for row in rows if row.ended_at is None and row.staff != asked.staff}
    own = find_kid(asked.staff, rows)
    if asked.key not in listed:
        raise ApproverKeyError(_UNLISTED_KEY)
    if asked.key in others:
        raise ApproverKeyError(_TAKEN_KEY)
    if own not in (None, asked.key):
        raise ApproverKeyError(_OTHER_KEY)


def require_endable(
    asked: EndAsked, rows: Sequence[RoleRow], carried: Iterable[Carried]
) -> tuple[RoleRow, tuple[Carried, ...]]:
    """Return the row that may end, and what its approvals carry that is not yet in force.

    Raises RoleUnknownError, LastApproverError, ApprovalsWaitingError (with the list of them).
    """
    role = Role(asked.organisation, asked.role)
    living = [row for row in rows if row.role == role and row.ended_at is None]
    row = next((row for row in living if row.staff == asked.staff), None)
    if row is None:
        raise RoleUnknownError
    if role.name != "approver":
        return row, ()
    if len(living) == 1:
        raise LastApproverError
    waiting = tuple(one for one in carried if row.kid in one.kids)
    if waiting and asked.keep_approvals is None:
        raise ApprovalsWaitingError(_describe_waiting(waiting))
    return row, waiting


def _describe_waiting(waiting: Iterable[Carried]) -> str:
    named = ", ".join(
        f"{one.purpose} (from {one.valid_from:%Y-%m-%d %H:%M} UTC)" for one in waiting
    )
    return (
        f"Approvals of this person carry what is not yet in force: {named}. Withdraw those first, "
        "or keep the approvals with --keep-approvals and a reason."
    )
