"""What the broker says about one person: the content of an answer's `part`.

A part is the JSON of one of these models, padded with spaces to a multiple of its size class, so
that *nobody*, *unknown* and *not for you to know* have one size. Findings are those that the
requester may see: what it stated itself is explained; of facts of the
person it learns nothing here.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from datwat.protocol.acts import Contact
from datwat.protocol.messages import Blade, FailureCode, FieldPath, LegalBasis, Rung
from datwat.protocol.values import Bytes16, Moment, PartyId, PlainText, Slug, Value

ACT_SIZE = 1_024
INQUIRY_SIZE = 4_096
RELEASE_SIZE = 4_096


class Finding(Value):
    """One result of one blade: a code with parameters; texts are rendered from it, never sent."""

    blade: Blade
    code: Slug
    satisfied: bool
    params: dict[str, str | int | tuple[str, ...]] = Field(default_factory=dict)


class Obligation(Value):
    """A condition on a permit, which the requester must keep."""

    code: Slug
    params: dict[str, str | int | tuple[str, ...]] = Field(default_factory=dict)


class Pointer(Value):
    """An involvement as the requester may see it, at the rung that its caps allow.

    At `category`: the domain and a central number. At `dat`: everything. What allows contact only
    is not shown: a contact request is relayed and tells nothing. `involvement` is this requester's
    own reference, to cite in a release.
    """

    rung: Rung
    involvement: Bytes16 = Field(repr=False)
    contact: Contact
    domain: Slug
    source: PartyId | None
    source_name: PlainText | None
    kind: Slug | None
    since_at: Moment | None
    as_of: Moment | None


class Scope(Value):
    """What an inquiry could see: the domains and number of partners asked, as of when, what not."""

    domains: tuple[Slug, ...]
    partners_asked: int = Field(ge=0)
    as_of: Moment
    cannot_see: tuple[Slug, ...]


class Weighing(Value):
    """The part of a decision that the requester learns."""

    permitted: bool
    rung: Rung
    open_rung: Rung
    findings: tuple[Finding, ...]
    remedies: tuple[Slug, ...]
    alternatives: tuple[Slug, ...]
    obligations: tuple[Obligation, ...]


class ActPart(Value):
    """Answer to an act: the weighing, and the references that the partner is given."""

    type: Literal["act"]
    weighing: Weighing
    handle: Bytes16 | None = Field(default=None, repr=False)
    involvement: Bytes16 | None = Field(default=None, repr=False)
    occasion: Bytes16 | None = Field(default=None, repr=False)
    contact_request: Bytes16 | None = Field(default=None, repr=False)
    introduction: Bytes16 | None = Field(default=None, repr=False)
    state: Slug | None = None
    expires_at: Moment | None = None


class InquiryPart(Value):
    """Answer to *who is involved*: scope and pointers; nobody and not-for-you look the same."""

    type: Literal["inquiry"]
    weighing: Weighing
    handle: Bytes16 | None = Field(default=None, repr=False)
    scope: Scope
    pointers: tuple[Pointer, ...] = Field(max_length=64)


class WithheldField(Value):
    """A field that was asked and not given, with the code of the reason."""

    field: FieldPath
    code: Slug


class ReleasePart(Value):
    """Answer to *what is known*: what was permitted, withheld, and what became of the delivery."""

    type: Literal["release"]
    weighing: Weighing
    handle: Bytes16 | None = Field(default=None, repr=False)
    fields: tuple[FieldPath, ...]
    withheld: tuple[WithheldField, ...]
    legal_basis: LegalBasis | None
    failure: FailureCode | None


AnswerPart = ActPart | InquiryPart | ReleasePart


def build_part(part: AnswerPart, size_class: int) -> bytes:
    """Return the JSON of `part`, padded with spaces to a multiple of `size_class` bytes."""
    raw = json.dumps(
        part.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"), sort_keys=True
    ).encode()
    return raw + b" " * (-len(raw) % size_class)
