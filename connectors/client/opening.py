"""The sealed release, opened: the source's word checked, then the fields, then the person.

Rules: the source signs, by the trust list; the envelope is for the very core that the outcome
names and holds exactly the permitted fields; a stranger's record is discarded (protocol.md section
8). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from connectors.client.outgoing import Sent
from connectors.client.verification import VerifiedAnswer
from connectors.errors import AnswerFormError, AnswerMessageError
from datwat.party.trust_list import Directory, read_verify_keys
from datwat.protocol.answers import ReleasePart
from datwat.protocol.canonical import CanonicalError
from datwat.protocol.envelope import EnvelopeObject, open_envelope, subject_matches
from datwat.protocol.freshness import RESUME_AGE
from datwat.protocol.keys import ExchangeKey
from datwat.protocol.messages import OutcomeCore
from datwat.protocol.signing import open_message, require_envelope


@dataclass(frozen=True, slots=True)
class OpenedRelease:
    """The released values by path; `is_person` is None where the subject could not be compared."""

    values: Mapping[str, Any] = field(repr=False)
    is_person: bool | None


def open_release(
    verified: VerifiedAnswer,
    sent: Sent,
    *,
    source: str,
    recipient: ExchangeKey,
    directory: Directory,
    now: datetime,
    bsn: str | None,
) -> OpenedRelease:
    """Return what the source released in answer to `sent`, whose answer was verified before.

    1. the source is in force and signed; 2. type, audience (the broker, which ordered it), `rid`
    and time; 3. the outcome's core, and exactly the permitted fields; 4. every field opens; 5. the
    subject is compared with `bsn` (normalised), where one is given.

    Raises:
        IssuerRefusedError, MessageError, AnswerRefusedError, EnvelopeError.
    """
    part, core = verified.persons[0].part, verified.persons[0].core
    if (
        verified.envelope is None
        or not isinstance(part, ReleasePart)
        or not isinstance(core, OutcomeCore)
    ):
        raise AnswerFormError
    partner = directory.require_partner(source, now)
    try:
        opened = open_message(verified.envelope, read_verify_keys(partner.keys))
        checked = require_envelope(
            opened.object,
            type="envelope",
            iss=source,
            aud=directory.trust.broker.id,
            now=now,
            max_age=RESUME_AGE,
        )
        body = EnvelopeObject.model_validate_json(opened.object_bytes)
    except (CanonicalError, ValidationError):
        raise AnswerFormError from None
    if checked.rid != sent.rid:
        raise AnswerMessageError
    release = open_envelope(body, recipient, core.core_hash, part.fields)
    matches = None if bsn is None else subject_matches(release, bsn)
    return OpenedRelease(values=release.values, is_person=matches)
