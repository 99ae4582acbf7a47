"""What waits for officers, list by list, in one form.

Rules: a list reads at most a hundred rows and
opens what is sealed of those only, so that who is overdue is known without opening every occasion.
What an item says of the purpose comes from the bundle in force. Source: AVG 12-14, 21, 23.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from broker.audit.payloads import Detail
from broker.audit.ports import LogStore
from broker.consent.duties import Duty
from broker.exchange.answering import Answering, Waiting
from broker.exchange.answering_lists import (
    DUTY_LISTS,
    LISTS,
    MOST_LISTED,
    Counts,
    Listed,
    ListName,
    build_listed,
    count_listed,
    sort_listed,
)
from broker.exchange.answering_telling import Telling
from broker.exchange.disputes import is_disputed
from broker.exchange.kept import FindPurpose
from broker.exchange.opening import Openings
from broker.exchange.rooms import Rooms
from broker.involvement.occasions import Occasion
from broker.involvement.special_situations import (
    SpecialSituationRow,
    derive_number,
    derive_state,
)
from datwat.party.errors import PartyError

_ALL: Final = "all"
_GONE: Final = "gone"


class ItemUnknownError(PartyError):
    """Nothing waits under this number in this list."""

    code = "item_unknown"
    default_detail = "Under this number nothing waits in this list: it may be answered. Look again."


@dataclass(frozen=True, slots=True)
class AnswerLists:
    """Reads the lists; blocking."""

    rooms: Rooms
    store: LogStore
    answering: Answering
    telling: Telling
    openings: Openings
    find_purpose: FindPurpose

    def list_waiting(self, name: ListName, partner: str | None = None) -> list[Listed]:
        """Return what waits in one list, what is overdue first, at most `MOST_LISTED`.

        `partner` leaves those of one partner, in the lists that have one.
        """
        now = self._now()
        if name in DUTY_LISTS:
            found = self._list_duties(name, partner, now)
        elif name == "special":
            found = self._list_special(now)
        elif name == "objections":
            found = [self._describe_objection(one, now) for one in self.answering.list_objections()]
        elif name == "questions":
            found = [_describe_question(one, now) for one in self.answering.list_questions()]
        else:
            found = [_describe_erasure(one, now) for one in self.answering.list_erasures()]
        kept = [one for one in found if partner is None or one.partner == partner]
        return sort_listed(kept)[:MOST_LISTED]

    def require_item(self, name: ListName, number: str) -> Listed:
        """Return one that waits, by its number; raise ItemUnknownError."""
        now = self._now()
        if name in DUTY_LISTS:
            with self.store.reading() as conn:
                duty = self.rooms.registers.duties.find(conn, DUTY_LISTS[name], number, now)
                if duty is None or duty.ended_at is not None:
                    raise ItemUnknownError
                return self._describe_whole(conn, self._describe_duty(conn, name, duty, now), duty)
        found = (one for one in self.list_waiting(name) if one.number == number)
        one = next(found, None)
        if one is None:
            raise ItemUnknownError
        return one

    def count(self) -> dict[ListName, Counts]:
        """Return how each list stands; as much as the lists themselves show, and no more."""
        return {name: count_listed(self.list_waiting(name)) for name in LISTS}

    def _list_duties(self, name: ListName, partner: str | None, now: datetime) -> list[Listed]:
        kind, duties = DUTY_LISTS[name], self.rooms.registers.duties
        with self.store.reading() as conn:
            rows = duties.list_open(conn, kind, now, MOST_LISTED, partner)
            return [self._describe_duty(conn, name, row, now) for row in rows]

    def _describe_duty(self, conn: Connection, name: ListName, duty: Duty, now: datetime) -> Listed:
        occasion = None
        if duty.occasion_id is not None:
            occasion = self.rooms.registers.occasions.find_occasion(conn, duty.occasion_id, now)
        facts: dict[str, str | None] = {"act": duty.act}
        if occasion is not None:
            facts["occasion"] = occasion.kind
        if name == "tell":
            facts |= _describe_coordinator(occasion, now)
        return build_listed(
            name,
            duty.number,
            duty.since_at,
            duty.due_at,
            now,
            partner=duty.partner,
            purpose=duty.purpose,
            facts=facts,
        )

    def _describe_whole(self, conn: Connection, one: Listed, duty: Duty) -> Listed:
        """Return an item with the entry that it follows from, and what it is about."""
        entry = self.telling.find_by_message(conn, duty.subject_id, duty.rid, duty.since_at)
        if entry is None:
            return one
        facts, detail = dict(one.facts), entry.line.told.detail
        if duty.kind == "dispute":
            rows = self.rooms.registers.consents.list_consents(
                conn, duty.subject_id, self.rooms.clock()
            )
            waiting = [row for row in rows if is_disputed(row)]
            facts["consents"] = str(len(waiting))
        if duty.kind == "desk" and detail is not None:
            facts["asked"] = _find_asked(detail)
        return replace(one, about=entry.number, facts=facts)

    def _list_special(self, now: datetime) -> list[Listed]:
        return [_describe_special(row, now) for row in self.openings.list_waiting()]

    def _describe_objection(self, one: Waiting, now: datetime) -> Listed:
        return build_listed(
            "objections",
            str(one.number),
            one.since_at,
            one.answer_by,
            now,
            purpose=one.purpose,
            facts={"behaviour": self.find_behaviour(one.purpose)},
            text=one.text,
        )

    def find_behaviour(self, purpose: str | None) -> str:
        """Return what an objection does by its purpose: none, suspend, suspend_unless_danger.

        An objection to every purpose is `all`: each purpose says for itself; `gone` where the
        bundle in force does not name the purpose any more.
        """
        if purpose is None:
            return _ALL
        found = self.find_purpose(purpose, None)
        return str(found["objection"]) if found is not None else _GONE

    def _now(self) -> datetime:
        return self.rooms.clock().replace(microsecond=0)


def _find_asked(detail: Detail) -> ListName:
    """Return the list in which what was asked at a desk waits for its answer."""
    if detail.objection_id is not None:
        return "objections"
    return "questions" if detail.question_id is not None else "erasures"


def _describe_question(one: Waiting, now: datetime) -> Listed:
    return build_listed(
        "questions",
        str(one.number),
        one.since_at,
        one.answer_by,
        now,
        partner=one.to,
        about=one.about,
        text=one.text,
    )


def _describe_erasure(one: Waiting, now: datetime) -> Listed:
    number = str(one.number)
    return build_listed("erasures", number, one.since_at, one.answer_by, now, about=one.about)


def _describe_special(row: SpecialSituationRow, now: datetime) -> Listed:
    stated = row.stated
    facts = {
        "ground": stated.ground,
        "state": derive_state(row, now),
        "opening": stated.opening,
        "decider": stated.decider.role,
    }
    number, since_at = derive_number(row), row.declared_at
    return build_listed("special", number, since_at, stated.until_at, now, facts=facts)


def _describe_coordinator(occasion: Occasion | None, now: datetime) -> dict[str, str | None]:
    """Return who leads on an occasion now, as their partner knows them, and their team."""
    if occasion is None:
        return {"coordinator": None, "team": None}
    leading = [
        one.professional
        for one in occasion.handlers
        if one.role == "coordinator"
        and one.from_at <= now
        and (one.until_at is None or one.until_at > now)
    ]
    return {"coordinator": leading[-1] if leading else None, "team": occasion.team}


def count_by_coordinator(found: Sequence[Listed]) -> Mapping[tuple[str, str], Counts]:
    """Return how much each coordinator still has to tell, the most overdue first.

    The key is the partner and the coordinator, a dash where nobody leads any more.
    """
    by: dict[tuple[str, str], list[Listed]] = {}
    for one in found:
        by.setdefault((one.partner or "-", one.facts.get("coordinator", "-")), []).append(one)
    counts = {key: count_listed(items) for key, items in by.items()}
    order = sorted(counts.items(), key=lambda pair: (-pair[1].overdue, -pair[1].waiting, pair[0]))
    return dict(order)
