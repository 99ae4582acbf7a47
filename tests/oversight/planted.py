"""Months of ordinary work of many professionals, and misuse planted among it.

Ordinary work varies by chance: how much somebody asks, when, how often nobody is found, how often a
question is refused, what becomes of an occasion. Each kind of misuse is one professional's, or one
person's, and nobody else's. The same seed gives the same work.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, insert

from broker.adapters.log_tables import table_of
from broker.adapters.oversight_tables import ActRecord
from broker.pseudonyms.veil import Veil

NOW: Final = datetime(2026, 11, 25, 12, tzinfo=UTC)
PAST: Final = timedelta(days=90)
VEIL: Final = Veil(bytes(range(32)))
_UNTIL: Final = NOW + timedelta(days=1_826)
_AT_ONCE: Final = 5_000
_STAFF: Final = 15
_ACTS_EACH: Final = 330
_CASELOAD: Final = 25


@dataclass
class Work:
    """Acts, oldest first, as rows of the table; `planted` names whose misuse lies where."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    planted: dict[str, int] = field(default_factory=dict)


def build_partner(number: int) -> str:
    return f"{99 * 10**12 + number:020d}:social-team"


def build_staff(partner: int, number: int) -> int:
    return VEIL.hide_professional(build_partner(partner), f"staff-{partner}-{number}")


def build_person(number: int) -> int:
    return VEIL.hide("subject", number.to_bytes(8, "big"))


def build_act(
    partner: int, staff: int | None, person: int, at: datetime, **more: object
) -> dict[str, Any]:
    """Return one act as the table has it; an inquiry that found somebody, unless it says more."""
    return {
        "at": at,
        "retention_until": _UNTIL,
        "shown_at": at,
        "act": "inquire",
        "partner": build_partner(partner),
        "professional": build_staff(partner, staff) if staff is not None else None,
        "subject": build_person(person),
        "occasion": None,
        "purpose": "coordinate_family_help",
        "source": None,
        "permit": True,
        "is_stated": True,
        "blade": None,
        "found_nothing": False,
        "is_off_hours": False,
        "is_blocked": False,
        "result": None,
        "goals": None,
        "plan_made": None,
    } | more


def build_work(acts: int, *, seed: int = 7, plant: bool = True, first: int = 0) -> Work:
    """Return about so many acts of ordinary work, and what is planted among them.

    `first`: the number of the first professional: those of another part of the work are others.
    """
    chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
    work = Work()
    professionals = max(_STAFF * 8, acts // _ACTS_EACH)
    each = acts / professionals
    for number in range(professionals):
        partner, staff = divmod(first + number, _STAFF)
        ground = first * _CASELOAD
        people = [ground + number * _CASELOAD + one for one in range(_CASELOAD)]
        # A colleague shares some of them, and so does somebody of another organisation.
        beside, elsewhere = (number + 1) % professionals, (number + _STAFF) % professionals
        people += [ground + beside * _CASELOAD + one for one in range(3)]
        people += [ground + elsewhere * _CASELOAD + 5 + one for one in range(3)]
        work.rows += _work_of(chance, partner, staff, people, each)
    if plant:
        _plant(chance, work)
    work.rows.sort(key=lambda row: row["at"])
    return work


def _work_of(
    chance: random.Random, partner: int, staff: int, people: Sequence[int], acts: float
) -> Iterator[dict[str, Any]]:
    left = chance.gauss(acts, acts / 8)
    while left > 0:
        person, at = chance.choice(people), _draw_moment(chance)
        occasion = chance.getrandbits(63)
        questions = chance.randint(1, 6)
        left -= questions + 2
        yield build_act(
            partner,
            staff,
            person,
            at,
            act="open_occasion",
            occasion=occasion,
            result="help_request",
        )
        for _ in range(questions):
            at += timedelta(minutes=chance.randint(1, 4_000))
            if at > NOW:
                break
            yield build_act(partner, staff, person, at, occasion=occasion, **_draw_question(chance))
        at += timedelta(days=chance.randint(1, 20))
        if at <= NOW:
            yield build_act(
                partner, staff, person, at, act="close_occasion", occasion=occasion,
                **_draw_end(chance),
            )  # fmt: skip


def _draw_moment(chance: random.Random) -> datetime:
    return NOW - timedelta(seconds=chance.randrange(int(PAST.total_seconds())))


def _draw_question(chance: random.Random) -> dict[str, Any]:
    is_release, is_refused = chance.random() < 0.25, chance.random() < 0.1
    return {
        "act": "release" if is_release else "inquire",
        "permit": not is_refused,
        "blade": "subsidiarity" if is_refused else None,
        "found_nothing": chance.random() < (0.002 if is_release else 0.35),
        "is_off_hours": chance.random() < 0.05,
    }


def _draw_end(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.75:
        return {"result": "completed", "goals": "yes", "plan_made": True}
    return {"result": "not_needed", "goals": "no", "plan_made": False}


def _plant(chance: random.Random, work: Work) -> None:
    """Plant one misuse of each kind, each by another professional or about another person."""
    for number, (name, build) in enumerate(_PLANTS.items()):
        work.planted[name] = number
        work.rows += build(chance, number)


def _lately(chance: random.Random, days: int) -> datetime:
    return NOW - timedelta(seconds=chance.randrange(3_600, days * 86_400))


def _plant_volume(chance: random.Random, who: int) -> list[dict[str, Any]]:
    people = range(who * _STAFF * _CASELOAD, who * _STAFF * _CASELOAD + _CASELOAD)
    return [
        build_act(who, 0, chance.choice(people), _lately(chance, 6), occasion=1_000 + who)
        for _ in range(170)
    ]


def _plant_hours(chance: random.Random, who: int) -> list[dict[str, Any]]:
    return [
        build_act(
            who,
            0,
            who * _STAFF * _CASELOAD + one % _CASELOAD,
            _lately(chance, 27),
            is_off_hours=True,
        )
        for one in range(50)
    ]


def _plant_nothing(chance: random.Random, who: int) -> list[dict[str, Any]]:
    rows = []
    for one in range(50):
        at, occasion, person = (
            _lately(chance, 80),
            5_000 + one,
            who * _STAFF * _CASELOAD + one % _CASELOAD,
        )
        rows.append(
            build_act(who, 0, person, at, act="open_occasion", occasion=occasion, result="signal")
        )
        rows.append(build_act(who, 0, person, at + timedelta(minutes=2), occasion=occasion))
        rows.append(
            build_act(
                who, 0, person, at + timedelta(minutes=9), act="close_occasion", occasion=occasion,
                result="not_needed", goals="no", plan_made=False,
            )
        )  # fmt: skip
    return rows


def _plant_refused(chance: random.Random, who: int) -> list[dict[str, Any]]:
    more = {"permit": False, "blade": "proportionality"}
    return [build_act(who, 0, 10_000_000 + one, _lately(chance, 27), **more) for one in range(90)]


def _plant_refused_person(chance: random.Random, who: int) -> list[dict[str, Any]]:
    more = {"permit": False, "blade": "subsidiarity"}
    return [build_act(who, 0, 11_000_000, _lately(chance, 27), **more) for _ in range(9)]


def _plant_guessing(chance: random.Random, who: int) -> list[dict[str, Any]]:
    return [
        build_act(who, 0, 12_000_000 + one, _lately(chance, 27), found_nothing=True)
        for one in range(150)
    ]


def _plant_reference(chance: random.Random, who: int) -> list[dict[str, Any]]:
    more = {"act": "release", "found_nothing": True, "permit": False, "blade": "purpose"}
    return [build_act(who, 0, 13_000_000 + one, _lately(chance, 27), **more) for one in range(9)]


def _plant_sides(chance: random.Random, who: int) -> list[dict[str, Any]]:
    return [
        build_act((who + one) % 8, 3 + one % 4, 14_000_000, _lately(chance, 20)) for one in range(6)
    ]


def _plant_colleagues(chance: random.Random, who: int) -> list[dict[str, Any]]:
    return [build_act(0, 5 + one, 15_000_000, _lately(chance, 20)) for one in range(5)]


def _plant_blocked(chance: random.Random, who: int) -> list[dict[str, Any]]:
    person = who * _STAFF * _CASELOAD
    return [build_act(0, 12, person, _lately(chance, 20), is_blocked=True)]


_PLANTS: Final = {
    "volume": _plant_volume,
    "hours": _plant_hours,
    "nothing": _plant_nothing,
    "refused": _plant_refused,
    "refused_person": _plant_refused_person,
    "guessing": _plant_guessing,
    "guessing_reference": _plant_reference,
    "sides": _plant_sides,
    "colleagues": _plant_colleagues,
    "blocked": _plant_blocked,
}


def write_acts(engine: Engine, rows: Sequence[Mapping[str, Any]], *, first: int = 0) -> None:
    """Write acts as rows of the table, numbered in their order."""
    table = table_of(ActRecord)
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        with engine.begin() as conn:
            conn.execute(
                insert(table), [{"idx": first + start + n, **row} for n, row in enumerate(some)]
            )
