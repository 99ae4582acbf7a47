"""Taking back what was said: a consent, an objection, a block, a shield.

Rules: who represents somebody finds only what the log shows to a representative. What the person
takes back alone, of what a representative can read, is theirs alone: it counts no more, and for the
representative it stays as it was said; they cannot tell, not by taking it back themselves either.
Source: AVG 7(3), 18, 21; domain.md, point 7; audit-log.md ("Chains").
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from broker.audit.payloads import Record
from broker.consent.models import Shield
from broker.exchange.acts import Desk, Write
from broker.exchange.question import Weighed
from datwat.protocol.acts import Wish


class FindConsentId(Protocol):
    """Finds the consent that an entry of somebody's log tells of."""

    def __call__(
        self, conn: Connection, subject_id: bytes, number: int, *, with_own: bool
    ) -> bytes | None:
        """Return its id; `with_own` where the person's own chain may be looked in."""


class Told(Protocol):
    """What an entry of somebody's log says."""

    @property
    def record(self) -> Record:
        """Its half of the resident."""


class FindTold(Protocol):
    """Finds what the entry at an index of somebody's log says, in these chains."""

    def __call__(
        self, conn: Connection, subject_id: bytes, number: int, audiences: Collection[str]
    ) -> Told | None:
        """Return what it says; None if it is nobody's, another's, delayed, or ended."""


def list_audiences(weighed: Weighed) -> tuple[str, ...]:
    """Return the chains of a person that who is logged in may read."""
    return ("open",) if weighed.gathered.is_represented else ("open", "own")


class TakingBack:
    """Finds what a wish takes back."""

    def __init__(self, find_consent_id: FindConsentId, find_told: FindTold) -> None:
        self._find_consent_id = find_consent_id
        self._find_told = find_told

    def find(self, desk: Desk, weighed: Weighed, wish: Wish) -> list[Write] | None:
        """Return what takes back what the wish names; None where something is not to be found."""
        writes: list[Write] = []
        for number, find in ((wish.withdraws, self._withdraw), (wish.lifts, self._lift)):
            if number is None:
                continue
            found = find(desk, weighed, number)
            if found is None:
                return None
            writes += found
        return writes

    def _withdraw(self, desk: Desk, weighed: Weighed, number: int) -> list[Write] | None:
        """Return what withdraws the consent that an entry tells of."""
        is_represented = weighed.gathered.is_represented
        consent_id = self._find_consent_id(
            desk.conn, weighed.subject_id, number, with_own=not is_represented
        )
        if consent_id is None:
            return None
        consents, subject_id = desk.registers.consents, weighed.subject_id
        row = consents.find_consent(desk.conn, subject_id, consent_id, desk.now)
        if row is None:
            return None
        if row.withdrawn_at is not None:  # perhaps by the person alone: that is not to be told
            return [] if is_represented else None
        return [lambda conn: consents.withdraw(conn, subject_id, consent_id, desk.now)]

    def _lift(self, desk: Desk, weighed: Weighed, number: int) -> list[Write] | None:
        """Return what takes back the objection, block or shield that an entry tells of."""
        told = self._find(desk, weighed, number, list_audiences(weighed))
        detail = told.detail if told else None
        if told is None or detail is None:
            return None
        is_represented = weighed.gathered.is_represented
        keeps = not is_represented and self._find(desk, weighed, number, ("open",)) is not None
        writes: list[Write] = []
        if detail.objection_id is not None:
            writes += _lift_objection(desk, weighed, detail.objection_id, keeps=keeps)
        if detail.block_id is not None:
            writes += _lift_block(desk, weighed, detail.block_id, keeps=keeps)
        if detail.shields:
            writes += _lift_shield(desk, weighed, told.at)
        return writes or None

    def _find(
        self, desk: Desk, weighed: Weighed, number: int, audiences: Collection[str]
    ) -> Record | None:
        """Return what the entry at an index says in these chains; of an opened one, the earlier."""
        found = self._find_told(desk.conn, weighed.subject_id, number, audiences)
        return found.record.told if found is not None else None


def _lift_objection(desk: Desk, weighed: Weighed, row_id: bytes, *, keeps: bool) -> list[Write]:
    consents, now = desk.registers.consents, desk.now
    row = consents.find_objection(desk.conn, weighed.subject_id, row_id, now)
    if row is None or (row.lifted_at is not None and not weighed.gathered.is_represented):
        return []
    return [lambda conn: consents.lift_objection(conn, row, now, keeps=keeps)]


def _lift_block(desk: Desk, weighed: Weighed, row_id: bytes, *, keeps: bool) -> list[Write]:
    wishes, now = desk.registers.wishes, desk.now
    row = wishes.find_block(desk.conn, weighed.subject_id, row_id, now)
    if row is None or (row.lifted_at is not None and not weighed.gathered.is_represented):
        return []
    return [lambda conn: wishes.lift_block(conn, row, now, keeps=keeps)]


def _lift_shield(desk: Desk, weighed: Weighed, since_at: datetime) -> list[Write]:
    """Return what takes a shield back of which an entry at this moment tells; nothing if none."""
    subject_id, consents = weighed.subject_id, desk.registers.consents
    held = consents.find_shield(desk.conn, subject_id, desk.now)
    if held is None:
        return []
    left: Shield | None
    if weighed.gathered.is_represented:
        if held.open_at != since_at:
            return []
        left = held.leave(held.own_at, own=True) if held.own_at else None
    else:
        if held.lifted or since_at not in {held.own_at, held.open_at}:
            return []
        left = held.leave(held.open_at, own=False, lifted=True) if held.open_at else None
    return [lambda conn: consents.shield(conn, subject_id, left)]
