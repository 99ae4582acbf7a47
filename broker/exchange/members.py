"""Which members each act carries in its statement and person parts, and for how many persons.

Rule: a member that does not belong is refused, one without which the act means nothing too; an act
about nobody has no persons; what is merely unlawful or unfounded is not refused here but weighed
(protocol.md section 5).
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from datwat.protocol.acts import PersonPart, Statement
from datwat.protocol.errors import ProtocolError

CHUNK = 32
BATCH = 1_000
_ALWAYS_STATEMENT = frozenset({"professional"})
_ALWAYS_PERSON = frozenset({"person"})


class MemberNotAllowedError(ProtocolError):
    """A member that does not belong to this act."""

    code = "member_not_allowed"
    default_detail = "A member does not belong to this act."


class MemberMissingError(ProtocolError):
    """A member without which this act means nothing."""

    code = "member_missing"
    default_detail = "A member that this act needs is missing."


class PersonCountError(ProtocolError):
    """More or fewer persons than this act can be about."""

    code = "person_count"
    default_detail = "This act is not possible for that number of persons."


@dataclass(frozen=True, slots=True)
class Members:
    """What one act carries: allowed members, those of them that must be there, and the persons."""

    statement: frozenset[str]
    person: frozenset[str]
    needed: frozenset[str] = frozenset()
    persons: int = CHUNK
    has_statement: bool = True

    def require(self, statement: Statement | None, persons: tuple[PersonPart, ...]) -> None:
        """Raise unless statement and persons carry exactly what this act may and must carry."""
        if not min(1, self.persons) <= len(persons) <= self.persons:
            raise PersonCountError
        if statement is not None and not self.has_statement:
            raise MemberNotAllowedError(place="statement")
        if statement is None and self.has_statement:
            raise MemberMissingError(place="statement")
        if statement is not None:
            _require(statement, self.statement | _ALWAYS_STATEMENT, self.needed, "statement")
        for number, person in enumerate(persons):
            _require(person, self.person | _ALWAYS_PERSON, self.needed, f"persons[{number}]")


def _require(part: BaseModel, allowed: frozenset[str], needed: frozenset[str], place: str) -> None:
    stated = part.model_fields_set
    for name in stated:
        if name not in allowed and getattr(part, name) is not None:
            raise MemberNotAllowedError(place=f"{place}.{name}")
    for name in needed & allowed:
        if getattr(part, name) is None:
            raise MemberMissingError(place=f"{place}.{name}")


def _members(
    statement: str = "", person: str = "", needed: str = "", persons: int = CHUNK
) -> Members:
    return Members(
        frozenset(statement.split()), frozenset(person.split()), frozenset(needed.split()), persons
    )


def _bare(person: str = "", needed: str = "", persons: int = 1) -> Members:
    """Return an act in which no professional says anything: a portal's, or a partner's own."""
    return Members(
        frozenset(),
        frozenset(person.split()),
        frozenset(needed.split()),
        persons,
        has_statement=False,
    )


MEMBERS: dict[str, Members] = {
    "register": _members("", "registers identity told_at", "registers", BATCH),
    "end": _members("", "involvement ends", "ends", BATCH),
    "open_occasion": _members(
        "opens",
        "role source told_at may_look_up identity age_band conversation",
        "opens role source",
    ),
    "hand_over": _members("occasion handlers", "", "occasion handlers"),
    "close_occasion": _members("occasion closes", "", "occasion closes"),
    "record_conversation": _members("occasion", "conversation", "occasion conversation"),
    "declare_special_situation": _members(
        "occasion special_situation", "", "occasion special_situation"
    ),
    "record_consent": _members("occasion", "consent", "occasion consent"),
    "record_objection": _members("occasion", "objection", "objection"),
    "record_authority": _members("occasion", "authority", "occasion authority"),
    "introduce": _members("occasion", "role"),
    "inquire": _members("occasion motivation", "identity"),
    "request_contact": _members("occasion call_back motivation", "", "call_back", 1),
    "answer_contact": _members(
        "", "contact_request contact_state", "contact_request contact_state", 1
    ),
    "release": _members("occasion motivation internal_reason", "involvement", "", 1),
    "report_wrong_person": _members("occasion", "involvement identity", "", 2),
    "open_session": _bare("identity", persons=2),
    "end_session": _bare(persons=2),
    "access_log": _bare("page"),
    "access_log_proof": _bare("proof"),
    "own_involvements": _bare(),
    "own_wishes": _bare(),
    "wish": _bare("wish desk", "wish"),
    "own_figures": _bare(persons=0),
}
