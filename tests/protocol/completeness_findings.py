"""Bundles that hold, and in which somebody should look at something: what each checker must find.

Each builds a bundle from the log of `build_world`; the value is what is found, in order. Python's
checker is held against them in `tests/protocol/test_completeness_findings.py`, the page in
`tests/party/test_check_page.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.completeness_checks import Finding
from datwat.protocol.log_cores import Term, build_ended_core, build_ended_entries_core
from tests.protocol.completeness_world import Chains, World, Written

Case = Callable[[World, datetime], CompletenessBundle]
DAY = timedelta(days=1)


def build_term(now: datetime, begins: int, days: int, opening: Any = "automatic") -> Term:  # noqa: ANN401 - one of two words
    """Return a term stated `begins` days from now, that ends so many days from now."""
    return Term(at=now + begins * DAY, until_at=now + days * DAY, opening=opening)


def wait(world: World, now: datetime, days: int = 10, opening: str = "automatic") -> Written:
    """Write what waits, in an auditor's chain without anything else, declared a month ago."""
    world.delayed = Chains(b"d" * 32)
    term = build_term(now, -30, days, opening)
    return world.maker.declare(world.delayed, "2026Q4", term)


def build(world: World, now: datetime) -> CompletenessBundle:
    return world.maker.build(world.delayed, "auditor", now=now, quarters=("2026Q4",))


def not_due_yet(world: World, now: datetime) -> CompletenessBundle:
    wait(world, now, days=10)
    return build(world, now)


def opened_in_time(world: World, now: datetime) -> CompletenessBundle:
    """Moved before its term was over, and opened the day after."""
    waiting = wait(world, now, days=-20)
    world.maker.declare(world.delayed, "2026Q4", build_term(now, -21, -5), [waiting])
    for one in world.delayed.rolls["delayed", "2026Q4"]:
        world.maker.open(world.person, one, "2026Q4", now - 4 * DAY)
    return build(world, now)


def never_opened(world: World, now: datetime) -> CompletenessBundle:
    wait(world, now, days=-2)
    return build(world, now)


def nobody_decided(world: World, now: datetime) -> CompletenessBundle:
    """Where a person decides it does not open by itself, and is overdue all the same."""
    wait(world, now, days=-2, opening="by_person")
    return build(world, now)


def opened_after_its_term(world: World, now: datetime) -> CompletenessBundle:
    world.maker.open(world.person, wait(world, now, days=-5), "2026Q4", now - 2 * DAY)
    return build(world, now)


def term_moved_when_it_was_over(world: World, now: datetime) -> CompletenessBundle:
    """So that the opening falls within the newer term; it was overdue before that was stated."""
    waiting = wait(world, now, days=-20)
    world.maker.declare(world.delayed, "2026Q4", build_term(now, -10, 10), [waiting])
    for one in world.delayed.rolls["delayed", "2026Q4"]:
        world.maker.open(world.person, one, "2026Q4", now)
    return build(world, now)


def moved_when_it_was_over_and_waiting(world: World, now: datetime) -> CompletenessBundle:
    """By its newest term it is not due; by the one before it should have been open."""
    waiting = wait(world, now, days=-20)
    world.maker.declare(world.delayed, "2026Q4", build_term(now, -10, 10), [waiting])
    return build(world, now)


def opening_that_does_not_say_when(world: World, now: datetime) -> CompletenessBundle:
    world.maker.open(world.person, wait(world, now), "2026Q4")
    return build(world, now)


def term_left_out(world: World, now: datetime) -> CompletenessBundle:
    wait(world, now, days=-2).terms = ()
    return build(world, now)


def opened_and_erased(world: World, now: datetime) -> CompletenessBundle:
    """The opening is compared by index and commit: contents are not needed."""
    waiting = wait(world, now)
    world.maker.open(world.person, waiting, "2026Q4", now)
    waiting.is_erased = True
    return build(world, now)


def called_erased_and_never_opened(world: World, now: datetime) -> CompletenessBundle:
    wait(world, now, days=-2).is_erased = True
    return build(world, now)


def both_ended_and_told(world: World, now: datetime) -> CompletenessBundle:
    """Entry and opening were kept long enough; their person was told that the first ended."""
    waiting = wait(world, now)
    world.maker.open(world.person, waiting, "2026Q4", now).is_erased = True
    waiting.is_erased = True
    core = build_ended_entries_core([waiting.index])
    waiting.ended = world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    return build(world, now)


def _erase(world: World, *numbers: int) -> None:
    for number in numbers:
        world.person.rolls["open", "2026Q4"][number].is_erased = True


def erased_and_told(world: World, now: datetime) -> CompletenessBundle:
    _erase(world, 1, 2, 5)
    world.person.rolls["open", "2026Q3"][0].is_erased = True
    core = build_ended_core([("2026Q4", 1), ("2026Q4", 2), ("2026Q3", 0), ("2026Q4", 5)])
    world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    return world.maker.build(world.person, now=now)


def lost_and_told(world: World, now: datetime) -> CompletenessBundle:
    _erase(world, 3)
    core = build_ended_core([("2026Q4", 3)])
    world.maker.tell_ended(world.person, "2026Q4", core, "lost")
    return world.maker.build(world.person, now=now)


def withheld_as_if_erased(world: World, now: datetime) -> CompletenessBundle:
    _erase(world, 1)
    return world.maker.build(world.person, now=now)


def another_place_told(world: World, now: datetime) -> CompletenessBundle:
    _erase(world, 1)
    core = build_ended_core([("2026Q4", 2), ("2026Q3", 1)])
    world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    return world.maker.build(world.person, now=now)


def told_before_it_was_written(world: World, now: datetime) -> CompletenessBundle:
    place = len(world.person.rolls["open", "2026Q4"]) + 1
    core = build_ended_core([("2026Q4", place)])
    world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    world.maker.write(world.person, "open", "2026Q4").is_erased = True
    return world.maker.build(world.person, now=now)


def told_in_another_chain(world: World, now: datetime) -> CompletenessBundle:
    world.person.rolls["own", "2026Q4"][0].is_erased = True
    core = build_ended_core([("2026Q4", 0)])
    world.maker.tell_ended(world.person, "2026Q4", core, "erased")
    return world.maker.build(world.person, now=now)


def told_by_another_event(world: World, now: datetime) -> CompletenessBundle:
    _erase(world, 1)
    core = build_ended_core([("2026Q4", 1)])
    world.maker.tell_ended(world.person, "2026Q4", core, "inquire")
    return world.maker.build(world.person, now=now)


def waits_until_the_last_day_of_the_calendar(world: World, now: datetime) -> CompletenessBundle:
    """It has no day after it: no date may be made of it."""
    world.delayed = Chains(b"d" * 32)
    until = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    world.maker.declare(world.delayed, "2026Q4", Term(at=now, until_at=until, opening="by_person"))
    return build(world, now)


def _tell(change: Callable[[bytes], bytes]) -> Case:
    """Return the case of a notice of which only one of two readers might take the core."""

    def told_in_two_readings(world: World, now: datetime) -> CompletenessBundle:
        _erase(world, 1)
        core = change(build_ended_core([("2026Q4", 1)]))
        world.maker.tell_ended(world.person, "2026Q4", core, "erased")
        return world.maker.build(world.person, now=now)

    return told_in_two_readings


def _add(member: bytes) -> Case:
    """Return the case of a notice whose payload has a member that readers take differently."""

    def told_with_a_member_more(world: World, now: datetime) -> CompletenessBundle:
        _erase(world, 1)
        core = build_ended_core([("2026Q4", 1)])
        payload = b'{"event":"erased","x":' + member + b"}"
        world.maker.write(world.person, "open", "2026Q4", core=core, payload=payload)
        return world.maker.build(world.person, now=now)

    return told_with_a_member_more


_TWO_READINGS = (
    _tell(lambda core: core.replace(b'"v":1', b'"v":true')),
    _tell(lambda core: core.replace(b'"v":1', b'"v":1.0')),
    _tell(lambda core: core.replace(b'"first":1', b'"first":1e0')),
    _tell(lambda core: core.replace(b'"v":1', b'"v":1,"v":1')),
    _tell(lambda core: b"\xef\xbb\xbf" + core),
    _add(b"NaN"),
    _add(b"0.5"),
    _add(b"9007199254740993"),
    _add(b'"\\ud800"'),
    _add(b'"\xed\xa0\x80"'),
    _add(b'1,"x":1'),
    _add(b"[" * 32 + b"]" * 32),
)
_ONE_READING = (
    _tell(lambda core: core.replace(b'"ended"', b'"\\u0065nded"')),
    _tell(lambda core: core.replace(b'"v":1', b'"v": 1')),
    _add(b"9007199254740991"),
    _add(b"-0"),
    _add(b'"\\ud83d\\ude00"'),
    _add(b"[" * 31 + b"]" * 31),
)

CASES: dict[Case, tuple[Finding, ...]] = {
    waits_until_the_last_day_of_the_calendar: (),
    not_due_yet: (),
    opened_in_time: (),
    never_opened: ("overdue",),
    nobody_decided: ("overdue",),
    opened_after_its_term: ("late",),
    term_moved_when_it_was_over: ("late",),
    moved_when_it_was_over_and_waiting: ("overdue",),
    opening_that_does_not_say_when: ("undated",),
    term_left_out: ("undated",),
    opened_and_erased: (),
    called_erased_and_never_opened: ("unjudged",),
    both_ended_and_told: (),
    erased_and_told: (),
    lost_and_told: (),
    withheld_as_if_erased: ("unannounced",),
    another_place_told: ("unannounced",),
    told_before_it_was_written: ("unannounced",),
    told_in_another_chain: ("unannounced",),
    told_by_another_event: ("unannounced",),
    **dict.fromkeys(_TWO_READINGS, ("unannounced",)),
    **dict.fromkeys(_ONE_READING, ()),
}
