"""A completeness bundle, checked before the resident gets it.

Rule (promise 5): the portal takes every step that the resident can take again; it passes on no
bundle that does not hold, nor one for somebody else's eyes or of other quarters than were asked.
Too few or too old cosignatures stop nothing here: the resident's own check says how far it goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from connectors.client.verification import read_model
from connectors.portal.errors import OwnLogError
from datwat.protocol.access_log import AccessLogProof
from datwat.protocol.completeness import MAX_BUNDLE_BYTES, CompletenessBundle
from datwat.protocol.completeness_checks import LogTrust, Verdict, check_parsed

_MORE = 4_096
MAX_PROOF_BYTES = MAX_BUNDLE_BYTES + _MORE


@dataclass(frozen=True, slots=True)
class Asked:
    """With whose eyes, and of which quarters (none: as far back as there is something)."""

    view: Literal["self", "representative"]
    quarters: tuple[str, ...]


def verify_own_proof(
    raw: bytes, rid: bytes, asked: Asked, trust: LogTrust, now: datetime
) -> tuple[CompletenessBundle, Verdict]:
    """Return the bundle that answers `rid`, and what it proves.

    Raises:
        AnswerFormError, OwnLogError, CompletenessError, NoteError, TagTwiceError.
    """
    answer = read_model(AccessLogProof, raw, max_bytes=MAX_PROOF_BYTES)
    bundle = answer.bundle
    if answer.rid != rid or bundle.view != asked.view:
        raise OwnLogError
    if asked.quarters and set(bundle.quarters) != set(asked.quarters):
        raise OwnLogError
    return bundle, check_parsed(bundle, trust, now)
