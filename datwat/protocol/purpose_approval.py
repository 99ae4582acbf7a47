"""What an approver of a purpose signs: the digest, the text that was read, and the bundle.

Rule: one policy key signs two things together, this approval and the `BundleStatement` of exactly
the bundle that would be published; neither counts without the other. It names no person: who holds
the key is in the broker's register. Signed as a document of `documents.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field

from datwat.protocol.bundle import BundleStatement
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import SignedDocument, count_valid_signatures, sign_document
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import SigningKey, VerifyKey
from datwat.protocol.messages import Digest
from datwat.protocol.values import Moment, Slug, Value

Effect = Literal["revise", "withdraw", "roll_back"]


class ApprovalFormError(ProtocolError):
    """An approval that is not one signature over exactly what was proposed."""

    code = "approval_form"
    default_detail = "The approval is not one signature over exactly what was proposed."


class PurposeApproval(Value):
    """What is approved. `purpose`, `digest` and `valid_from` are None where the effect has none.

    `base_digest`: the revision that this one replaces; the text hashes are SHA-256 over the
    rendered texts in UTF-8; `bundle_digest` and `seq` name the bundle that would be published.
    """

    v: Literal[1]
    type: Literal["purpose_approval"]
    effect: Effect
    purpose: Slug | None
    digest: Digest | None
    base_digest: Digest | None
    text_nl_sha256: Digest
    text_en_sha256: Digest
    valid_from: Moment | None
    bundle_digest: Digest
    seq: int = Field(ge=1)

    def to_bytes(self) -> bytes:
        """Return the bytes that are signed: canonical JSON."""
        return encode_canonical(self.model_dump(mode="json"))


class ApprovalSignatures(Value):
    """The two signatures of one approver, each a signed document with one signature."""

    approval: SignedDocument
    bundle: SignedDocument


def derive_text_hash(text: str) -> str:
    """Return SHA-256 (hex) over a rendered text in UTF-8."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def build_statement_bytes(statement: BundleStatement) -> bytes:
    """Return the bytes of a bundle's statement that are signed: canonical JSON."""
    return encode_canonical(statement.model_dump(mode="json"))


def sign_approval(
    approval: PurposeApproval, statement: BundleStatement, key: SigningKey
) -> ApprovalSignatures:
    """Return what an approver hands in: both signatures by the same key."""
    return ApprovalSignatures(
        approval=sign_document(approval.to_bytes(), [key]),
        bundle=sign_document(build_statement_bytes(statement), [key]),
    )


def require_approval(
    given: ApprovalSignatures,
    approval: PurposeApproval,
    statement: BundleStatement,
    keys: Iterable[VerifyKey],
) -> str:
    """Return the thumbprint of the one key of `keys` that signed exactly these two.

    Raises ApprovalFormError, MessageHeaderError.
    """
    known = {key.kid: key for key in keys}
    signed = (
        _require_signer(given.approval, approval.to_bytes(), known),
        _require_signer(given.bundle, build_statement_bytes(statement), known),
    )
    if signed[0] != signed[1]:
        raise ApprovalFormError
    return signed[0]


def _require_signer(
    document: SignedDocument, payload: bytes, known: Mapping[str, VerifyKey]
) -> str:
    if document.payload != payload or len(document.signatures) != 1:
        raise ApprovalFormError
    found = count_valid_signatures(document, known)
    if len(found) != 1:
        raise ApprovalFormError
    return next(iter(found))
