"""What officers ask of the life of a purpose: by page, by command and by the officers' API."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from broker.policy.sealed_keys import LONGEST_PASSPHRASE
from broker.purposes.drafts import SourceText
from datwat.protocol.catalogue import Language
from datwat.protocol.messages import Digest
from datwat.protocol.purpose_approval import ApprovalSignatures
from datwat.protocol.values import HEX_ID_PATTERN, FormError, ShortText, Slug, Value


class NothingAsked(Value):
    """A list or a look that takes no member."""


class OneAsked(Value):
    """A draft or proposal by its id."""

    id: str = Field(pattern=HEX_ID_PATTERN)
    language: Language = "nl"


class LanguageAsked(Value):
    """A list in a language; of one purpose where it is named."""

    language: Language = "nl"
    purpose: Slug | None = None


class TextAsked(Value):
    """A draft that is looked at and not kept."""

    text: SourceText = Field(repr=False)
    cases: SourceText = Field(default="", repr=False)
    language: Language = "nl"


class DraftAsked(Value):
    """A draft to be kept: a new one, or the next text of one's own.

    `base_digest`: the revision that the author rests it on; None keeps what it rests on, or for a
    new draft takes the newest revision of the purpose.
    """

    draft_id: str | None = Field(default=None, pattern=HEX_ID_PATTERN)
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


class SignedAsked(OneAsked):
    """An approval by signatures that were made elsewhere."""

    signatures: ApprovalSignatures


class ApproveAsked(OneAsked):
    """An approval: signatures that were made elsewhere, or the passphrase of a sealed key."""

    signatures: ApprovalSignatures | None = None
    passphrase: str | None = Field(default=None, max_length=LONGEST_PASSPHRASE, repr=False)


class TrialAsked(Value):
    """What is to be tried: a draft that is kept, or a text (with its cases) that is not."""

    draft: str | None = Field(default=None, pattern=HEX_ID_PATTERN)
    text: SourceText = Field(default="", repr=False)
    cases: SourceText = Field(default="", repr=False)
    language: Language = "nl"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.draft is None) != bool(self.text):
            raise FormError("Name a draft, or give a text: one of both.")
        return self


class WithdrawalTrialAsked(Value):
    """A purpose that would be taken out."""

    purpose: Slug


class ReplayAsked(Value):
    """A replay by its number; none: the newest."""

    number: int | None = Field(default=None, ge=1, lt=2**53)


class DigestAsked(Value):
    """A mutation check by the digest of its draft; none: the newest."""

    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
