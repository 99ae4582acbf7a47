"""Who is involved with a resident now and who was, from their own log and the pointers. Pure.

Rules: the log of the chains that who looks may read is the truth of the list: what it does not tell
of an end has not ended for them. The resident sees all of their own, guarded and shielded kinds
too; a pointer adds how to reach its source and how fresh it is, which go with a pointer that is
destroyed before its end may be told. A representative sees what is `open` as it was told there,
without how fresh it is and when it ends by itself: no log tells that, so it would show when a
pointer turns to be for the person alone. They see each source's central contact only, and of what a
source shielded the domain. Source: AVG 12, 15; domain.md, points 4 and 7; audit-log.md ("Chains").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, get_args

from broker.audit.payloads import Detail
from broker.audit.told import ToldLine
from broker.involvement.involvements import Involvement
from datwat.party.trust_list import Directory
from datwat.protocol.acts import Contact
from datwat.protocol.own_affairs import HowEnded, OwnInvolvement, PastInvolvement

EVENTS: Final = frozenset({"register", "end", "expired", "report_wrong_person"})
_HOW: Final = frozenset(get_args(HowEnded))
_NO_NAME = "-"
_NO_DOMAIN = "unknown"
_LONGEST_CONTACT = 200
_Key = tuple[str, str]


@dataclass(slots=True)
class _Spell:
    """One involvement from its registration to its end, as the log tells it."""

    number: int
    source: str
    source_name: str
    kind: str
    registered_at: datetime
    since_at: datetime
    told_at: datetime
    expires_at: datetime
    shielded: bool
    ended_at: datetime | None = None
    how: HowEnded = "ended"
    told_in: int | None = None


@dataclass(slots=True)
class _History:
    """Spells being collected, the oldest first."""

    spells: list[_Spell] = field(default_factory=list)
    going_on: dict[_Key, _Spell] = field(default_factory=dict)

    def take(self, line: ToldLine) -> None:
        """Take what one entry tells."""
        told, detail = line.told, line.told.detail
        if detail is None:  # refused: nothing came of it
            return
        source = told.requester.id
        match told.event:
            case "register":
                self._begin(line, detail)
            case "report_wrong_person" if detail.reason == "annulled":
                for key in [key for key in self.going_on if key[0] == source]:
                    self._end(key, told.at, "wrong_person", line.index)
            case "end" | "expired":
                how = detail.reason if detail.reason in _HOW else "ended"
                ended_at = detail.expires_at if told.event == "expired" else None
                for kind in detail.kinds or (detail.kind,):
                    self._end((source, kind or ""), ended_at or told.at, how, line.index)  # type: ignore[arg-type] # it is in the set of them
            case _:
                pass

    def _begin(self, line: ToldLine, detail: Detail) -> None:
        told = line.told
        if detail.kind is None or detail.since_at is None or detail.expires_at is None:
            return
        key = (told.requester.id, detail.kind)
        held = self.going_on.get(key)
        if held is None:
            held = self.going_on[key] = _Spell(
                number=line.index,
                source=told.requester.id,
                source_name=told.requester.name,
                kind=detail.kind,
                registered_at=told.at,
                since_at=detail.since_at,
                told_at=told.at,
                expires_at=detail.expires_at,
                shielded=bool(detail.shielded),
            )
            self.spells.append(held)
            return
        held.told_at, held.expires_at = told.at, detail.expires_at
        held.shielded = bool(detail.shielded)

    def _end(self, key: _Key, at: datetime, how: HowEnded, told_in: int) -> None:
        held = self.going_on.pop(key, None)
        if held is not None:
            held.ended_at, held.how, held.told_in = at, how, told_in


class InvolvementList:
    """Builds the two lists for one pair of eyes at one moment."""

    def __init__(self, directory: Directory, now: datetime, *, is_represented: bool) -> None:
        self._directory = directory
        self._now = now
        self._is_represented = is_represented

    def build(
        self, lines: Sequence[ToldLine], pointers: Iterable[Involvement]
    ) -> tuple[tuple[OwnInvolvement, ...], tuple[PastInvolvement, ...]]:
        """Return what goes on and what is over, each newest first.

        `lines` are the entries that may be seen, newest first, `pointers` the current ones.
        """
        history = _History()
        for line in reversed(lines):
            history.take(line)
        held = {(one.source, one.kind): one for one in pointers if self._may_see(one)}
        now, past = self._split(history.spells, held)
        told = set(history.going_on)
        now += [self._build_untold(one) for key, one in held.items() if key not in told]
        now.sort(key=lambda one: (one.as_of, one.source or ""), reverse=True)
        past.sort(key=lambda one: (one.ended_at, one.number), reverse=True)
        return tuple(now), tuple(past)

    def _may_see(self, pointer: Involvement) -> bool:
        return not (self._is_represented and pointer.confidential)

    def _split(
        self, spells: Iterable[_Spell], held: Mapping[_Key, Involvement]
    ) -> tuple[list[OwnInvolvement], list[PastInvolvement]]:
        now: list[OwnInvolvement] = []
        past: list[PastInvolvement] = []
        for spell in spells:
            pointer = held.get((spell.source, spell.kind)) if spell.ended_at is None else None
            is_over = pointer is None and spell.expires_at <= self._now
            if spell.ended_at is None and is_over and not self._is_represented:
                spell.ended_at, spell.how = spell.expires_at, "expired"
            if spell.ended_at is None:
                now.append(self._build_now(spell, pointer))
            else:
                past.append(self._build_past(spell, spell.ended_at))
        return now, past

    def _build_now(self, spell: _Spell, pointer: Involvement | None) -> OwnInvolvement:
        shielded = spell.shielded or (pointer is not None and pointer.shielded_by_source)
        hidden = self._is_represented and shielded
        as_of, until_at = spell.told_at, None if self._is_represented else spell.expires_at
        if pointer is not None and not self._is_represented:
            shielded = shielded or pointer.shielded
            as_of, until_at = pointer.reconfirmed_at, pointer.expires_at
        central = self._find_central(spell.source)
        return OwnInvolvement(
            number=spell.number,
            source=None if hidden else spell.source,
            source_name=None if hidden else spell.source_name,
            kind=None if hidden else spell.kind,
            domain=self._find_domain(spell.source),
            contact=self._choose_contact(pointer, central),
            central=central,
            since_at=None if hidden else spell.since_at,
            as_of=as_of,
            until_at=until_at,
            shielded=shielded,
        )

    def _build_untold(self, pointer: Involvement) -> OwnInvolvement:
        """Return a pointer whose entry has lost its contents: that it is there is still told."""
        spell = _Spell(
            number=0,
            source=pointer.source,
            source_name=self._find_name(pointer.source),
            kind=pointer.kind,
            registered_at=pointer.registered_at,
            since_at=pointer.since_at,
            told_at=pointer.reconfirmed_at,
            expires_at=pointer.expires_at,
            shielded=pointer.shielded_by_source,
        )
        return self._build_now(spell, pointer).model_copy(update={"number": None})

    def _build_past(self, spell: _Spell, ended_at: datetime) -> PastInvolvement:
        hidden = self._is_represented and spell.shielded
        return PastInvolvement(
            number=spell.number,
            source=None if hidden else spell.source,
            source_name=None if hidden else spell.source_name,
            kind=None if hidden else spell.kind,
            domain=self._find_domain(spell.source),
            since_at=None if hidden else spell.since_at,
            registered_at=spell.registered_at,
            ended_at=ended_at,
            how=spell.how,
            told_in=spell.told_in,
        )

    def _choose_contact(self, pointer: Involvement | None, central: str) -> Contact:
        if pointer is not None and not self._is_represented:
            return pointer.contact
        return Contact(role="central", phone=central[:_LONGEST_CONTACT] or None)

    def _find_central(self, party: str) -> str:
        partner = self._directory.partners.get(party)
        return partner.contact if partner else ""

    def _find_domain(self, party: str) -> str:
        partner = self._directory.partners.get(party)
        return partner.domain if partner else _NO_DOMAIN

    def _find_name(self, party: str) -> str:
        partner = self._directory.partners.get(party)
        return partner.name if partner else _NO_NAME
