"""The counter: two employees, the same document, ten minutes; written down once, then printed.

Behind it stands no broker but a list of what was recorded; the real one: tests/demo/test_desk.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from pydantic import ValidationError

from broker.exchange.members import MEMBERS, MemberNotAllowedError, Members, PersonCountError
from connectors.errors import NumberInTextError
from connectors.portal.counter import MOST_TRIES, WAITS, Counter, Employee, Shown, fold_name
from connectors.portal.desk import Handles, ResidentDesk
from connectors.portal.errors import (
    DeskMismatchError,
    DeskPlaceError,
    DeskRefusedError,
    DeskSecondError,
    DeskUnknownError,
)
from connectors.portal.login import Identity
from datwat.party.http_out import PeerTooSlowError
from datwat.protocol.acts import (
    ByHandle,
    DeskVisit,
    PersonPart,
    Professional,
    Statement,
    Wish,
)
from datwat.protocol.blinding import BsnError
from datwat.web.problems import PaperFailedError

BSN, OTHER_BSN = "999990019", "999991103"
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
JANSEN, SMIT = Employee("m.jansen", "baliemedewerker"), Employee("p.smit", "teamleider")
SHOWN = Shown(BSN, "van der Bergh-Müller", date(1980, 3, 17))
REASON = "Kwam zonder inlog en liet een paspoort zien"


@dataclass
class StandIn:
    """A desk: what it was asked to write, and how it fails next."""

    written: list[DeskVisit] = field(default_factory=list)
    opened: list[Identity] = field(default_factory=list)
    open_now: int = 0
    permits: bool = True
    loses_answer: bool = False
    delivered: int = 0

    async def open_session(self, identity: Identity) -> Handles:
        self.opened.append(identity)
        self.open_now += 1
        return Handles(b"h" * 16, None)

    async def end_session(self, _handles: Handles) -> None:
        self.open_now -= 1

    async def prepare_wish(self, _handle: bytes, _wish: Wish, visit: DeskVisit) -> dict[str, Any]:
        return {"visit": visit, "entry": None}

    async def deliver_wish(self, sent: dict[str, Any]) -> object:
        """Write it down, once for the same message, as a broker does."""
        await asyncio.sleep(0)
        self.delivered += 1
        if sent["entry"] is None:
            self.written.append(sent["visit"])
            sent["entry"] = 40 + len(self.written)
        if self.loses_answer:
            self.loses_answer = False
            raise PeerTooSlowError
        weighing = SimpleNamespace(permitted=self.permits)
        person = SimpleNamespace(part=SimpleNamespace(weighing=weighing), index=sent["entry"])
        return SimpleNamespace(persons=(person,))


async def make(_handle: bytes) -> tuple[bytes, ...]:
    return (b"%PDF-",)


async def fail(_handle: bytes) -> tuple[bytes, ...]:
    raise PaperFailedError


class Place:
    """A counter and its desk."""

    def __init__(self) -> None:
        self.desk = StandIn()
        self.counter = Counter(cast("ResidentDesk", self.desk))

    def begin(self, *, copy_given: bool = True, reason: str = REASON, shown: Shown = SHOWN) -> str:
        number, until = self.counter.begin(
            JANSEN, shown, reason=reason, wish=Wish(), copy_given=copy_given, now=NOW
        )
        assert until == NOW + WAITS
        return number

    async def confirm(
        self,
        number: str,
        second: Employee = SMIT,
        shown: Shown = SHOWN,
        *,
        printing: Any = make,  # noqa: ANN401 - one of two functions
        now: datetime = NOW,
    ) -> tuple[int, tuple[bytes, ...]]:
        done = await self.counter.confirm(number, second, shown, make=printing, now=now)
        return done.entry, done.prints


async def test_two_employees_who_read_the_same_print_once() -> None:
    place = Place()
    number = place.begin()
    same = Shown("9999.90.019", "VAN DER BERGH MULLER", SHOWN.born)
    assert await place.confirm(f" {number.lower()} ", shown=same) == (41, (b"%PDF-",))
    (visit,) = place.desk.written
    assert (visit.role, visit.second_role, visit.copy_given) == (JANSEN.role, SMIT.role, True)
    assert place.desk.opened == [Identity(BSN, None)]
    assert place.desk.open_now == 0
    with pytest.raises(DeskUnknownError):
        await place.confirm(number)


async def test_the_portals_lines_tell_who_it_was_and_not_whom_they_helped() -> None:
    place = Place()
    with structlog.testing.capture_logs() as lines:
        await place.confirm(place.begin())
    (line,) = lines
    assert (line["event"], line["by"], line["second_by"]) == ("desk_visit", "m.jansen", "p.smit")
    assert line["entry"] == 41
    assert not any(text in repr(lines) for text in (BSN, SHOWN.surname, "1980", REASON))


async def test_nobody_helps_alone_and_after_ten_minutes_it_is_forgotten() -> None:
    place = Place()
    number = place.begin()
    with pytest.raises(DeskSecondError):
        await place.confirm(number, Employee(JANSEN.id, "teamleider"))
    with pytest.raises(DeskUnknownError):
        await place.confirm(number, now=NOW + WAITS)
    with pytest.raises(DeskUnknownError):
        await place.confirm("ABCDEF")
    assert place.desk.opened == []


@pytest.mark.parametrize(
    "changed",
    [{"bsn": OTHER_BSN}, {"surname": "Bergh"}, {"born": date(1980, 3, 18)}],
    ids=["number", "name", "birth"],
)
async def test_what_differs_opens_nothing_and_ends_after_three(changed: dict[str, Any]) -> None:
    place = Place()
    number, wrong = place.begin(), dataclasses.replace(SHOWN, **changed)
    for _ in range(MOST_TRIES):
        with pytest.raises(DeskMismatchError) as refused:
            await place.confirm(number, shown=wrong)
        assert BSN not in str(refused.value)
    with pytest.raises(DeskUnknownError):
        await place.confirm(number)
    assert place.desk.opened == []


async def test_a_print_that_fails_is_made_again_without_a_second_entry() -> None:
    place = Place()
    number = place.begin()
    with pytest.raises(PaperFailedError):
        await place.confirm(number, printing=fail)
    assert place.desk.open_now == 0
    assert await place.confirm(number) == (41, (b"%PDF-",))
    assert (len(place.desk.written), place.desk.delivered) == (1, 1)


async def test_an_answer_that_is_lost_does_not_write_it_twice() -> None:
    place = Place()
    number = place.begin()
    place.desk.loses_answer = True
    with pytest.raises(PeerTooSlowError):
        await place.confirm(number)
    assert await place.confirm(number) == (41, (b"%PDF-",))
    assert len(place.desk.written) == 1


async def test_two_confirmations_at_the_same_time_are_one() -> None:
    place = Place()
    number = place.begin()
    found = await asyncio.gather(
        place.confirm(number), place.confirm(number), return_exceptions=True
    )
    assert [isinstance(one, DeskUnknownError) for one in found] == [False, True]
    assert len(place.desk.written) == 1


async def test_what_is_refused_is_printed_for_nobody() -> None:
    place = Place()
    place.desk.permits = False
    printed = []

    async def note(_handle: bytes) -> tuple[bytes, ...]:
        printed.append(1)
        return ()

    with pytest.raises(DeskRefusedError):
        await place.confirm(place.begin(), printing=note)
    assert printed == []


async def test_without_a_print_nothing_is_made_and_with_one_there_is_a_place() -> None:
    place = Place()
    number = place.begin(copy_given=False)
    place.counter.require_no_print(number)
    assert await place.confirm(number, printing=fail) == (41, ())
    with pytest.raises(DeskPlaceError):
        place.counter.require_no_print(place.begin())


def test_no_number_stands_in_a_reason_and_no_false_one_opens_a_visit() -> None:
    place = Place()
    with pytest.raises(NumberInTextError):
        place.begin(reason=f"Paspoort van {BSN} gezien")
    with pytest.raises(BsnError):
        place.begin(shown=dataclasses.replace(SHOWN, bsn="123456789"))


def test_nothing_of_the_person_stays_in_what_waits() -> None:
    place = Place()
    place.begin()
    held = repr(vars(place.counter)) + repr(SHOWN)
    waiting = next(iter(vars(place.counter)["_waiting"].values()))
    held += repr([getattr(waiting, name) for name in waiting.__slots__])
    for text in (BSN, SHOWN.surname, "1980"):
        assert text not in held


def test_two_people_write_a_name_alike() -> None:
    assert fold_name("Van der Bergh-Müller") == fold_name("van der  bergh müller")
    assert fold_name("Bakkali") != fold_name("Bakali")


def test_no_resident_and_no_partner_can_state_a_visit() -> None:
    desk = {"role": "a", "second_role": "b", "reason": REASON}
    with pytest.raises(ValidationError):
        Wish.model_validate({"desk": desk})
    part = PersonPart(
        person=ByHandle(by="handle", handle=b"h" * 16), desk=DeskVisit.model_validate(desk)
    )
    for act, members in MEMBERS.items():
        if members.persons == 0:
            with pytest.raises(PersonCountError):
                require(members, part)
        elif act != "wish":
            with pytest.raises(MemberNotAllowedError) as refused:
                require(members, part)
            assert refused.value.place == "persons[0].desk"
    require(MEMBERS["wish"], part)


def require(members: Members, part: PersonPart) -> None:
    """Hold a part against an act of which nothing else is asked."""
    statement = Statement(professional=Professional(id="m.jansen", role="regisseur"))
    only = dataclasses.replace(members, needed=frozenset())
    only.require(statement if members.has_statement else None, (part,))
