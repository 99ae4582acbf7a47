"""What the check finds in a bundle that holds: late, overdue, untold, and what cannot be judged."""

from __future__ import annotations

import hashlib
import random
import time

import pytest

from datwat.protocol.completeness import CompletenessBundle
from datwat.protocol.completeness_checks import Verdict, check_bundle
from datwat.protocol.completeness_delayed import DelayedCounts
from datwat.protocol.completeness_ended import find_latest
from datwat.protocol.errors import ProtocolError
from datwat.protocol.log_cores import EndedPlaces, build_ended_core, find_ended, find_term
from tests.protocol import completeness_findings as cases
from tests.protocol.completeness_attacks import change_delayed
from tests.protocol.completeness_findings import CASES, Case
from tests.protocol.completeness_world import NOW, World, build_world


def check(bundle: CompletenessBundle, world: World) -> Verdict:
    return check_bundle(bundle.model_dump_json().encode(), world.maker.trust, NOW)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_somebody_should_look_at_is_found(case: Case) -> None:
    world = build_world()
    verdict = check(case(world, NOW), world)
    assert (verdict.status, verdict.findings) == ("proved", CASES[case])


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (cases.not_due_yet, {"not_due": 1}),
        (cases.opened_in_time, {"in_time": 2}),
        (cases.nobody_decided, {"overdue": 1, "by_person": 1}),
        (cases.term_moved_when_it_was_over, {"late": 2}),
        (cases.opening_that_does_not_say_when, {"opened_undated": 1}),
        (cases.term_left_out, {"waiting_undated": 1}),
        (cases.opened_and_erased, {"in_time": 1}),
        (cases.called_erased_and_never_opened, {"unjudged": 1}),
        (cases.both_ended_and_told, {"ended": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_delayed_entry_counts_as_one_thing(case: Case, expected: dict[str, int]) -> None:
    world = build_world()
    (roll,) = check(case(world, NOW), world).rolls
    assert roll.delayed == DelayedCounts(**expected)


def test_what_a_person_decides_is_counted_until_it_opens() -> None:
    world = build_world()
    waiting = cases.wait(world, NOW, opening="by_person")
    (roll,) = check(cases.build(world, NOW), world).rolls
    assert roll.delayed == DelayedCounts(not_due=1, by_person=1)
    world.maker.open(world.person, waiting, "2026Q4", NOW)
    (roll,) = check(cases.build(world, NOW), world).rolls
    assert roll.delayed == DelayedCounts(in_time=1)


def test_an_auditors_bundle_with_a_partners_half_is_refused() -> None:
    """The check needs hashes only; a core shows fields and law of a release."""
    world = build_world()
    waiting = cases.wait(world, NOW)
    bundle = cases.build(world, NOW)
    assert bundle.rolls[0].entries[0].core_hash == hashlib.sha256(waiting.core).digest()
    shown = change_delayed(bundle, core=waiting.core, core_hash=None)
    with pytest.raises(ProtocolError) as caught:
        check(shown, world)
    assert caught.value.code == "completeness_entry"


def build_notices(draw: random.Random, count: int) -> list[tuple[int, list[EndedPlaces]]]:
    """Return notices, in no order, that name stretches within and beyond a roll."""
    notices = []
    for index in draw.sample(range(1_000), draw.randint(0, 6)):
        firsts = [draw.randint(0, count + 2) for _ in range(draw.randint(0, 4))]
        places = [
            EndedPlaces(quarter="2026Q4", first=first, last=draw.randint(0, count + 3))
            for first in firsts
        ]
        notices.append((index, places))
    return notices


def test_the_last_notice_that_names_a_place_is_found() -> None:
    draw = random.Random(5)  # noqa: S311 - made-up places
    for _ in range(300):
        count = draw.randint(0, 9)
        notices = build_notices(draw, count)
        expected = [
            max(
                (n for n, held in notices if any(p.first <= at <= p.last for p in held)), default=-1
            )
            for at in range(count)
        ]
        assert find_latest(count, notices) == expected


def test_no_bundle_holds_up_its_reader() -> None:
    """Each notice names a thousand stretches over the whole roll: nobody waits for that."""
    places = [EndedPlaces(quarter="2026Q4", first=0, last=2**53 - 1)] * 1_000
    began = time.process_time()
    assert set(find_latest(20_000, [(index, places) for index in range(50)])) == {49}
    assert time.process_time() - began < 5


def test_a_notice_names_places_as_stretches() -> None:
    places = [("2026Q4", 2), ("2026Q3", 9), ("2026Q4", 1), ("2026Q4", 4), ("2026Q4", 1)]
    ended = find_ended(build_ended_core(places))
    assert ended is not None
    assert ended.places == (
        EndedPlaces(quarter="2026Q3", first=9, last=9),
        EndedPlaces(quarter="2026Q4", first=1, last=2),
        EndedPlaces(quarter="2026Q4", first=4, last=4),
    )


@pytest.mark.parametrize(
    "core", [b"", b"{}", b'{"type":"act"}', b'{"type":"inquiry","term":null}', b"\xff", b"[1]"]
)
def test_other_cores_state_nothing(core: bytes) -> None:
    assert find_term(core) is None
    assert find_ended(core) is None
