"""The signing of a draft: from what lies in the covenant's folder to the next trust list.

Rules: each signing raises `seq` by one; covenant keys that are never in one place sign one after
the other what lies in `trust-list.pending.json`; one that the draft no longer makes is dropped. A
list that introduces new covenant keys needs the old ones' threshold, for parties hold the list
before it, and the new ones' as well, for whoever begins with it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from datwat.party.files import replace_file
from datwat.party.trust_draft import (
    Draft,
    DraftError,
    build_list,
    read_draft,
    read_file,
    write_draft,
)
from datwat.party.trust_list import Directory, accept_first, read_verify_keys
from datwat.protocol.canonical import encode_canonical
from datwat.protocol.documents import (
    SignedDocument,
    add_signature,
    count_valid_signatures,
    sign_document,
)
from datwat.protocol.errors import ProtocolError
from datwat.protocol.keys import SigningKey
from datwat.protocol.trust import Covenant, TrustList

LIST_FILE = "trust-list.json"
PENDING_FILE = "trust-list.pending.json"


class Signing(NamedTuple):
    """What became of a signing: the list's hash (hex), how many keys signed, how many must.

    `outgoing_…` of the old covenant keys, where the list introduces new ones; else 0 of 0.
    """

    seq: int
    digest: str
    signed: int
    threshold: int
    outgoing_signed: int
    outgoing_threshold: int
    is_complete: bool
    path: Path


def sign_draft(folder: Path, keys: list[SigningKey], *, now: datetime, days: int) -> Signing:
    """Sign the draft, or add to the signatures of the pending list if the draft is still that one.

    With enough signatures it becomes `trust-list.json`, until then `trust-list.pending.json`.
    Raises DraftError, DraftIncompleteError, TrustListKeysError.
    """
    draft = read_draft(folder)
    pending = _find_pending(folder, draft)
    if pending is None:
        trust = build_list(draft, seq=draft.seq + 1, valid_until=now + timedelta(days=days))
        payload = encode_canonical(trust.model_dump(mode="json"))
        document = sign_document(payload, keys)
    else:
        document = pending
        for key in keys:
            document = add_signature(document, key)
    digest = hashlib.sha256(document.payload)
    result = _judge(folder, draft, document, digest.hexdigest())
    if result.is_complete:
        Directory(accept_first(document.to_bytes(), digest.digest()))  # refuses a key used twice
        write_draft(folder, draft.model_copy(update={"seq": result.seq, "outgoing": None}))
        (folder / PENDING_FILE).unlink(missing_ok=True)
    replace_file(result.path, document.to_bytes())
    return result


def _judge(folder: Path, draft: Draft, document: SignedDocument, digest: str) -> Signing:
    outgoing = draft.outgoing
    signed = _count(document, draft.covenant)
    outgoing_signed = _count(document, outgoing) if outgoing is not None else 0
    outgoing_threshold = outgoing.threshold if outgoing is not None else 0
    is_complete = signed >= draft.covenant.threshold and outgoing_signed >= outgoing_threshold
    return Signing(
        seq=draft.seq + 1,
        digest=digest,
        signed=signed,
        threshold=draft.covenant.threshold,
        outgoing_signed=outgoing_signed,
        outgoing_threshold=outgoing_threshold,
        is_complete=is_complete,
        path=folder / (LIST_FILE if is_complete else PENDING_FILE),
    )


def _count(document: SignedDocument, covenant: Covenant) -> int:
    return len(count_valid_signatures(document, read_verify_keys(covenant.keys)))


def read_keys(paths: list[Path]) -> list[SigningKey]:
    """Return the covenant keys in these files; raise DraftError, which names the file."""
    if not paths:
        raise DraftError("No covenant key to sign with: name one with --key.")
    return [_read_key(path) for path in paths]


def _read_key(path: Path) -> SigningKey:
    data = read_file(path, DraftError, "name a covenant key that you hold")
    try:
        return SigningKey.from_jwk_text(data.decode())
    except (ProtocolError, UnicodeDecodeError):
        raise DraftError(f"{path} is no covenant key: `datwat trust new` makes them.") from None


def _find_pending(folder: Path, draft: Draft) -> SignedDocument | None:
    """Return the pending list if it is what the draft makes now; an outdated one is dropped."""
    try:
        pending = SignedDocument.from_bytes((folder / PENDING_FILE).read_bytes())
        trust = TrustList.model_validate_json(pending.payload)
    except (OSError, ValidationError):
        return None
    same = build_list(draft, seq=draft.seq + 1, valid_until=trust.valid_until) == trust
    return pending if same else None
