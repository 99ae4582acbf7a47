"""What employees at a counter ask of the running portal: begin a visit, confirm it.

Rule: a number, a name and a date of birth come in by the loopback listener of the portal's own
administrators and go on to the blind look-up; no answer and no error repeats them.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from datetime import date
from typing import Any, Literal, TypeVar

from pydantic import Field

from connectors.portal.counter import Counter, Employee, Shown
from connectors.portal.desk import ResidentDesk
from connectors.portal.pages.paper.framing import Setting
from connectors.portal.pages.paper.gathering import MOST_IN_DOCUMENT, Period, fetch_log, split_days
from connectors.portal.pages.paper.log_document import Taken, build_log_document
from connectors.portal.resident import Resident
from datwat.party import clock
from datwat.party.admin import Command
from datwat.party.problems import read_members
from datwat.protocol.acts import Wish
from datwat.protocol.values import (
    PlainText,
    ShortText,
    StaffId,
    Value,
    derive_staff_id,
    encode_moment,
)
from datwat.web.i18n import Code
from datwat.web.paper.printing import Printing
from datwat.web.site import Site

ModelT = TypeVar("ModelT", bound="Asked")


class Asked(Value):
    """Who helps, and what they read in the document."""

    by: StaffId
    role: ShortText
    bsn: str = Field(max_length=40, repr=False)
    surname: ShortText = Field(repr=False)
    born: date = Field(repr=False, strict=False)


class BeginAsked(Asked):
    """What the person came for."""

    reason: PlainText = Field(min_length=10)
    wish: Wish = Wish()
    copy_given: bool


class ConfirmAsked(Asked):
    """Which visit, and in which language the print is."""

    number: str = Field(max_length=20)
    has_place: bool = True
    language: Literal["nl", "en"] = "nl"


class Prints:
    """Makes the prints of somebody's log, in as many documents as it takes."""

    def __init__(
        self, site: Site[Resident], desk: ResidentDesk, printing: Printing | None = None
    ) -> None:
        """Keep the parts."""
        self._site = site
        self._desk = desk
        self._printing = printing or Printing()

    async def make(self, handle: bytes, code: Code) -> tuple[bytes, ...]:
        """Return the documents, newest first; raise as the desk does, and PaperFailedError."""
        log = await fetch_log(self._desk, handle)
        bundle = await self._desk.require_bundle()
        setting = Setting.of(self._site.pages, bundle, code, clock.now(), is_represented=False)
        contacts = {one.id: one.contact for one in self._desk.list_organisations()}
        periods: Sequence[Period] = [Period()]
        if len(log.cards) > MOST_IN_DOCUMENT:
            periods = [Period(since, until) for since, until, _ in split_days(log.cards)]
        prints = []
        for period in periods:
            cards = [card for card in log.cards if period.holds(card)]
            taken = Taken(log, cards, contacts)
            document = await asyncio.to_thread(build_log_document, setting, taken)
            prints.append(await self._printing.build_pdf(document))
        return tuple(prints)


def build_counter_commands(site: Site[Resident], desk: ResidentDesk) -> dict[str, Command]:
    """Return the commands of the counter."""
    counter = Counter(desk)
    prints = Prints(site, desk)

    async def desk_begin(members: dict[str, Any]) -> dict[str, Any]:
        asked = _read(BeginAsked, members)
        number, until = counter.begin(
            _find_employee(asked),
            _find_shown(asked),
            reason=asked.reason,
            wish=asked.wish,
            copy_given=asked.copy_given,
            now=clock.now(),
        )
        return {"number": number, "until": encode_moment(until)}

    async def desk_confirm(members: dict[str, Any]) -> dict[str, Any]:
        asked = _read(ConfirmAsked, members)

        async def make(handle: bytes) -> tuple[bytes, ...]:
            return await prints.make(handle, asked.language)

        if not asked.has_place:
            counter.require_no_print(asked.number)
        done = await counter.confirm(
            asked.number, _find_employee(asked), _find_shown(asked), make=make, now=clock.now()
        )
        documents = [base64.b64encode(one).decode("ascii") for one in done.prints]
        return {"entry": done.entry, "documents": documents}

    return {"desk_begin": desk_begin, "desk_confirm": desk_confirm}


def _find_employee(asked: Asked) -> Employee:
    return Employee(asked.by, asked.role)


def _find_shown(asked: Asked) -> Shown:
    return Shown(asked.bsn, asked.surname, asked.born)


def _read(model: type[ModelT], members: dict[str, Any]) -> ModelT:
    """Return what an employee asks; raise InputInvalidError where a member is wrong."""
    staff = {"by": derive_staff_id(str(members.get("by")))}
    return read_members(model, {**members, **staff})
