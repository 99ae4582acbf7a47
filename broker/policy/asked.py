"""What officers ask of the life of a purpose, as pages and commands hand it in."""

from __future__ import annotations

from pydantic import Field

from broker.purposes.drafts import SourceText
from datwat.protocol.messages import Digest
from datwat.protocol.values import ShortText, Slug, Value


class DraftAsked(Value):
    """A draft to be kept: a new one, or the next text of one's own.

    `base_digest`: the revision that the author rests it on; None keeps what it rests on, or for a
    new draft takes the newest revision of the purpose.
    """

    draft_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")
    text: SourceText = Field(repr=False)
    cases: SourceText = Field(default="", repr=False)
    base_digest: Digest | None = None


class WithdrawalAsked(Value):
    """A purpose that is to be withdrawn, or one revision of it, and why."""

    purpose: Slug
    digest: Digest | None = None
    reason: ShortText


class RollBackAsked(Value):
    """The publication whose content is to be in force again, and why."""

    seq: int = Field(ge=1)
    reason: ShortText
