"""A dispute over consents ends: the consents count again, or those given for the person end.

Rules: while parents disagree no consent that was given for a child counts (policy weighs it); only
an officer ends that. *Stands*: the disagreement is over, whatever a partner recorded of it ends
now. *Fallen*: what was given for the person, by one or both parents, is withdrawn and never counts
again; what the person gave alone is theirs. Both take effect in the transaction of the entry that
tells it. Source: Jeugdwet 7.3.4; AVG 7(3); domain.md, points 7-8 (legal_check: open).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from broker.consent.models import ConsentRow
from broker.exchange.registers import Registers

STANDS: Final = "dispute_stands"
FALLEN: Final = "dispute_fallen"
_DISAGREE: Final = "disagreement"
_FOR_THE_PERSON: Final = frozenset({"representative", "both"})


def is_disputed(consent: ConsentRow) -> bool:
    """Tell whether a consent falls with the dispute: one that was not the person's alone."""
    return consent.given_by in _FOR_THE_PERSON and consent.withdrawn_at is None


def settle_dispute(
    registers: Registers, conn: Connection, subject_id: bytes, outcome: str, now: datetime
) -> None:
    """Write what a settled dispute changes; RaceLost where a consent was withdrawn meanwhile."""
    if outcome == STANDS:
        for row in registers.authorities.list_current(conn, subject_id, now):
            if row.kind == _DISAGREE:
                registers.authorities.end(conn, row, now)
        return
    for consent in registers.consents.list_consents(conn, subject_id, now):
        if is_disputed(consent):
            registers.consents.withdraw(conn, subject_id, consent.id, now)
